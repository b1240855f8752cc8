"""A broker that lets in by the mechanisms in its second argument, and takes every record. It keeps no password of those who
come by SCRAM (RFC 5802), and leaves whoever it does not let in, as Kafka does. `a=n,n` is known everywhere, `ben` by
SCRAM-SHA-256 alone, `cas` by PLAIN alone; to `eve` it can't prove that it knows her. The password of all is `p@ss:word`."""
import asyncio, base64, hashlib, hmac, os, struct, sys

port, offered = int(sys.argv[1]), sys.argv[2].split(',')
PASSWORD, ROUNDS = b'p@ss:word', 4096
KNOWN = {'a=n,n': ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'], 'ben': ['SCRAM-SHA-256'], 'cas': ['PLAIN'],
         'eve': ['SCRAM-SHA-512']}
SALT = os.urandom(16)

def text(said): return struct.pack('>h', len(said)) + said
def frame(said): return struct.pack('>i', len(said)) + said

def stored(name):
    salted = hashlib.pbkdf2_hmac(name, PASSWORD, SALT, ROUNDS)
    client, server = (hmac.digest(salted, key, name) for key in (b'Client Key', b'Server Key'))
    return hashlib.new(name, client).digest(), server

STORED = {'SCRAM-SHA-512': ('sha512', *stored('sha512')), 'SCRAM-SHA-256': ('sha256', *stored('sha256'))}

class Scram:
    def __init__(self, mechanism):
        self.mechanism, self.first = mechanism, None
        self.hash, self.key, self.server = STORED[mechanism]
    def next(self, token):
        if self.first is None:
            assert token.startswith(b'n,,n=')
            self.bare = token[3:]
            user, nonce = self.bare[2:].split(b',r=')
            self.user = user.replace(b'=2C', b',').replace(b'=3D', b'=').decode()
            if self.mechanism not in KNOWN.get(self.user, []): return None, False
            self.nonce = nonce + base64.b64encode(os.urandom(12))
            self.first = b'r=%s,s=%s,i=%d' % (self.nonce, base64.b64encode(SALT), ROUNDS)
            return self.first, False
        last, _, proof = token.rpartition(b',p=')
        assert last == b'c=biws,r=' + self.nonce
        said = b','.join([self.bare, self.first, last])
        signature = hmac.digest(self.key, said, self.hash)
        client = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        if hashlib.new(self.hash, client).digest() != self.key: return None, False
        server = b'nobody' if self.user == 'eve' else self.server
        return b'v=' + base64.b64encode(hmac.digest(server, said, self.hash)), True

class Plain:
    def next(self, token):
        authority, user, password = token.split(b'\0')
        is_known = 'PLAIN' in KNOWN.get(user.decode(), []) and password == PASSWORD and authority == b''
        return (b'', True) if is_known else (None, False)

async def client(reader, writer):
    by, is_in = None, False
    try:
        while True:
            length, = struct.unpack('>i', await reader.readexactly(4))
            asked = await reader.readexactly(length)
            api, version, correlation, n = struct.unpack('>hhih', asked[:10])
            body, leaves = asked[10 + max(n, 0):], False
            if api == 17 and version == 1:
                mechanism = body[2:].decode()
                leaves = mechanism not in offered
                by = None if leaves else Plain() if mechanism == 'PLAIN' else Scram(mechanism)
                said = struct.pack('>hi', 33 if leaves else 0, len(offered)) + b''.join(text(one.encode()) for one in offered)
            elif api == 36 and version == 0:
                token, is_in = by.next(body[4:])
                leaves = token is None
                words = text(b'Authentication failed') if leaves else struct.pack('>h', -1)
                said = struct.pack('>h', 58 if leaves else 0) + words + frame(token or b'')
            elif api == 3 and is_in:
                said = struct.pack('>iii', 0, 1, 1) + text(b'127.0.0.1') + struct.pack('>ihhi', port, -1, -1, 1)
                said += struct.pack('>ih', 1, 0) + text(b'orders') + struct.pack('>bi', 0, 1)
                said += struct.pack('>hiiiiii', 0, 0, 1, 1, 1, 1, 1)
            elif api == 0 and is_in:
                said = struct.pack('>i', 1) + text(b'orders') + struct.pack('>iihqqi', 1, 0, 0, 41, -1, 0)
            else:
                break
            writer.write(frame(struct.pack('>i', correlation) + said))
            await writer.drain()
            if leaves: break
    except (asyncio.IncompleteReadError, ConnectionError): pass
    writer.close()

async def main():
    server = await asyncio.start_server(client, '127.0.0.1', port)
    print('ready', flush=True)
    await server.serve_forever()
asyncio.run(main())
