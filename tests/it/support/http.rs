//! As much HTTP as the tests need, on a bare connection, so that malformed requests can be made too.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Gets a path; status and body.
pub(crate) async fn get(address: &str, path: &str) -> (u16, String) {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"),
    )
    .await
}

/// Posts a body; status and body of the answer.
pub(crate) async fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: it\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    request(address, &(head + body)).await
}

/// Connects from an address of this machine, such as 127.0.0.2.
pub(crate) async fn connect_from(source: &str, address: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source.parse().expect("an address"), 0))?;
    let address = address.parse().expect("an address with a port");
    socket.connect(address).await
}

/// Sends bytes and reads to the end; status and body.
pub(crate) async fn request(address: &str, text: &str) -> (u16, String) {
    let answer = exchange(address, text).await;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// Sends bytes and reads to the end; the whole answer, or nothing if there was none.
pub(crate) async fn exchange(address: &str, text: &str) -> String {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        exchange_on(stream, text).await
    };
    let answer = tokio::time::timeout(Duration::from_mins(1), exchange)
        .await
        .expect("an answer in time");
    answer.unwrap_or_default()
}

/// As [`exchange`], on a connection that is there.
pub(crate) async fn exchange_on(mut stream: TcpStream, text: &str) -> std::io::Result<String> {
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    // A server that refuses a long body may close before all of it was sent: what it said still counts.
    let (_, read) = tokio::join!(
        writer.write_all(text.as_bytes()),
        reader.read_to_end(&mut answer)
    );
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Sends bytes and gives back the head of the answer, and the connection.
pub(crate) async fn first(address: &str, text: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(text.as_bytes()).await.expect("it reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    (String::from_utf8_lossy(&head).into_owned(), stream)
}
