//! Components that listen with TLS, the certificates that they need, and how others ask them.

use super::http::read;
use super::variable;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto,
};
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Writes an authority's certificate, and one of a server with its key, into a folder; and somebody else's authority.
pub(crate) fn certificates(words: &[String]) -> ExitCode {
    let folder = Path::new(words.first().map_or(".", String::as_str));
    match write(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    for name in ["other", "ca"] {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        std::fs::write(folder.join(format!("{name}.pem")), params.self_signed(&key)?.pem())?;
        if name == "ca" {
            let issuer = Issuer::new(params, key);
            let key = KeyPair::generate()?;
            let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
            std::fs::write(folder.join("server.pem"), leaf.pem())?;
            std::fs::write(folder.join("server.key"), key.serialize_pem())?;
        }
    }
    Ok(())
}

/// Binds where `LISTEN` says, with the certificate in `CERTIFICATE`, and answers everything with the path.
pub(crate) fn serve() -> ExitCode {
    match listen() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn listen() -> Result<(), Box<dyn std::error::Error>> {
    let folder = variable("CERTIFICATES", "certificates");
    let chain = vec![CertificateDer::from_pem_file(format!("{folder}/server.pem"))?];
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/server.key"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let config = Arc::new(config);
    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:0"))?;
    println!("listening");
    loop {
        let (stream, _) = listener.accept()?;
        let tls = ServerConnection::new(Arc::clone(&config))?;
        // Whoever called may be gone at any moment.
        std::thread::spawn(move || drop(converse(StreamOwned::new(tls, stream))));
    }
}

fn converse(stream: StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let body = format!("{{\"path\":\"{}\",\"secure\":true}}", request.path);
        let head = format!("HTTP/1.1 200 .\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(head.as_bytes())?;
        if request.header("connection") == "close" {
            stream.get_mut().conn.send_close_notify();
            return stream.get_mut().flush();
        }
    }
    Ok(())
}

/// Says something over TLS, to one whom an authority in `SSL_CERT_FILE` vouches for, and gives all that comes back.
pub(crate) fn exchange(server: &str, said: &[u8]) -> io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::pem_file_iter(variable("SSL_CERT_FILE", "")).map_err(io::Error::other)?;
    roots.add_parsable_certificates(trusted.flatten());
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host).to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, TcpStream::connect(server)?);
    stream.write_all(said)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}
