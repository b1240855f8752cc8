"""As much of a broker of Kafka as takes records: it tells where it is, and stores what comes in three partitions."""
import socketserver, struct, sys


def text(said):
    return struct.pack('>h', len(said)) + said


class Broker(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(4):
            asked = self.rfile.read(struct.unpack('>i', head)[0])
            api, version, number, n_client = struct.unpack('>hhih', asked[:10])
            body = asked[10 + n_client:]
            said = {18: self.versions, 3: self.metadata, 0: self.produce}[api](body)
            self.wfile.write(struct.pack('>ii', len(said) + 4, number) + said)

    def versions(self, _):
        spoken = [(0, 3, 3), (3, 4, 4), (18, 0, 0)]
        return struct.pack('>hi', 0, len(spoken)) + b''.join(struct.pack('>hhh', *one) for one in spoken)

    def metadata(self, body):
        topic = body[6:6 + struct.unpack('>h', body[4:6])[0]]
        said = struct.pack('>iii', 0, 1, 1) + text(b'127.0.0.1') + struct.pack('>ih', port, -1)
        said += struct.pack('>hiih', -1, 1, 1, 0) + text(topic) + struct.pack('>bi', 0, 3)
        return said + b''.join(struct.pack('>hiiiiii', 0, n, 1, 1, 1, 1, 1) for n in range(3))

    def produce(self, body):
        # No transaction, how many are to have it, how long that may take, one topic with one partition.
        end = 14 + struct.unpack('>h', body[12:14])[0]
        partition, = struct.unpack('>i', body[end + 4:end + 8])
        stored[partition] += 1
        said = struct.pack('>i', 1) + text(body[14:end]) + struct.pack('>i', 1)
        return said + struct.pack('>ihqqi', partition, 0, stored[partition] - 1, -1, 0)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


port, stored = int(sys.argv[1]), [0, 0, 0]
with Server(('127.0.0.1', port), Broker) as server:
    print('there', flush=True)
    server.serve_forever()
