//! SMTP with and without STARTTLS, between Python's client and a server made for this.

use crate::bed::{Certificates, Seam, run};
use crate::servers::{Server, free_port, python};
use seam_proxy::ProviderTlsSpec;
use std::path::Path;
use std::process::Command;

const SERVER: &str = r"
import socketserver, ssl, sys
port, how, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Session(socketserver.StreamRequestHandler):
    def handle(self):
        secure = False
        f = self.request.makefile('rwb')
        if how == 'first':
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder + '/server.pem', folder + '/server.key')
            f = context.wrap_socket(self.request, server_side=True).makefile('rwb'); secure = True
        def say(text):
            f.write(text.encode() + b'\r\n'); f.flush()
        say('220 here')
        while line := f.readline():
            word = line.split()[0].upper() if line.split() else b''
            if word == b'EHLO':
                say('250-here\r\n250-STARTTLS\r\n250 SIZE 1000' if how != 'none' and not secure else '250-here\r\n250 SIZE 1000')
            elif word == b'STARTTLS' and how != 'none':
                say('220 go')
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(folder + '/server.pem', folder + '/server.key')
                f = context.wrap_socket(self.request, server_side=True).makefile('rwb'); secure = True
            elif how == 'must' and not secure: say('530 first STARTTLS')
            elif word == b'DATA':
                say('354 go')
                while f.readline() != b'.\r\n': pass
                say('250 secure' if secure else '250 plain')
            elif word == b'QUIT': return say('221 bye')
            else: say('250 fine')
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('127.0.0.1', port), Session).serve_forever()
";

const CLIENT: &str = r"
import smtplib, ssl, sys
port, context = int(sys.argv[1]), ssl.create_default_context(cafile=sys.argv[3] or None)
s = smtplib.SMTP_SSL('localhost', port, timeout=10, context=context) if sys.argv[2] == 'first' else smtplib.SMTP('localhost', port, timeout=10)
if sys.argv[2] == 'tls': s.starttls(context=ssl.create_default_context(cafile=sys.argv[3]))
s.ehlo()
print(s.mail('a@x.test'), s.rcpt('b@x.test'), s.data('Subject: hello\n\nhello')); s.quit()
";

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls() {
    let Some(python) = python("smtplib") else { return };
    let certificates = Certificates::new();
    for (how, declared, client, expect) in [
        ("none", false, "plain", "250, b'plain'"),
        ("none", false, "tls", "250, b'plain'"),
        ("may", false, "plain", "250, b'plain'"),
        ("may", false, "tls", "250, b'secure'"),
        ("may", true, "plain", "250, b'secure'"),
        ("must", false, "plain", "530"),
        ("must", false, "tls", "250, b'secure'"),
        ("must", true, "plain", "250, b'secure'"),
        ("must", true, "tls", "250, b'secure'"),
    ] {
        let port = free_port();
        let mut command = Command::new(python);
        let folder = certificates.0.path().display().to_string();
        command.args(["-c", SERVER, &port.to_string(), how, &folder]);
        let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
        let mut seam = Seam::stand("smtp", server.port).await;
        if declared {
            seam = seam.declared(&certificates.judged());
        }
        let said = run(Path::new(python), &["-c", CLIENT, &seam.port(), client, &seam.ca()]);
        assert!(said.contains(expect), "{how} {declared} {client}: {said}");
        let told = seam.told().await;
        if how != "must" {
            assert_eq!(told.len(), 1, "{told:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_starttls_is_told() {
    let Some(python) = python("smtplib") else { return };
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-c", SERVER, &port.to_string(), "none", ""]);
    let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
    let seam = Seam::stand("smtp", server.port).await.declared(&ProviderTlsSpec::default());
    let said = run(Path::new(python), &["-c", CLIENT, &seam.port(), "plain", ""]);
    assert!(said.contains("Error"), "{said}");
    assert_eq!(seam.why().await, ["it offers no TLS: its answer to EHLO has no STARTTLS"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_may_come_before_the_greeting() {
    let Some(python) = python("smtplib") else { return };
    let certificates = Certificates::new();
    for (how, declared, expect) in [
        ("first", false, "250, b'secure'"),
        ("first", true, "250, b'secure'"),
        ("none", false, "250, b'plain'"),
    ] {
        let port = free_port();
        let mut command = Command::new(python);
        let folder = certificates.0.path().display().to_string();
        command.args(["-c", SERVER, &port.to_string(), how, &folder]);
        let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
        let mut seam = Seam::stand("smtps", server.port).await;
        if declared {
            seam = seam.declared(&certificates.judged());
        }
        let said = run(Path::new(python), &["-c", CLIENT, &seam.port(), "first", &seam.ca()]);
        assert!(said.contains(expect), "{how} {declared}: {said}");
        assert_eq!(seam.told().await.len(), 1);
    }
}
