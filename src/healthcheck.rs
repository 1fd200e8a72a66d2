//! `boardcast healthcheck`: asks the server on this machine for its health, for Docker's `HEALTHCHECK`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for `/health`.
///
/// # Errors
///
/// Fails when the server does not answer with 200 in time.
pub fn run(config: &Config) -> io::Result<()> {
    let address = SocketAddr::new(reachable(config.host), config.port);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    let first_line = answer
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    Err(io::Error::other(format!(
        "the server answered {:?}",
        String::from_utf8_lossy(first_line)
    )))
}

/// A server that listens on all addresses is asked on the loopback one.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}
