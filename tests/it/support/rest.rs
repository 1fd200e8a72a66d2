//! Requests to the REST door, each over a connection of its own.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_mins(1);

/// A caller with headers that stand in each request.
#[derive(Clone)]
pub(crate) struct Rest {
    address: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
}

impl Rest {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            headers: Vec::new(),
        }
    }

    /// The same, with another header in each request.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same, showing a credential.
    pub(crate) fn showing(&self, credential: &str) -> Self {
        self.with("Authorization", &format!("Bearer {credential}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(&body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, Some(&body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }

    /// Sends a request to a path below `/api`. A body is said to be JSON unless a header says otherwise.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let exchange = async {
            let mut stream = self.begin(method, path, body).await;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.expect("an answer");
            bytes
        };
        let bytes = tokio::time::timeout(PATIENCE, exchange).await;
        Answer::read(&bytes.expect("an answer in time"))
    }

    /// Sends a request and does not wait.
    pub(crate) async fn begin(&self, method: &str, path: &str, body: Option<&str>) -> TcpStream {
        let mut head = format!("{method} /api{path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n");
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if let Some(body) = body {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
            let said = self.headers.iter();
            if !said.clone().any(|(name, _)| name == "Content-Type") {
                head.push_str("Content-Type: application/json\r\n");
            }
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(&self.address).await.expect("it listens");
        let request = [head.as_bytes(), body.unwrap_or_default().as_bytes()].concat();
        // A server that refuses a long body may close before all of it was sent: what it said still counts.
        stream.write_all(&request).await.ok();
        stream
    }
}

impl Answer {
    /// Reads what came over a connection until its end.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Self {
            status: status.expect("a status"),
            headers,
            bytes: bytes[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.bytes = dechunked(&answer.bytes);
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The JSON of an answer with this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.bytes.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The problem that a refusal tells.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{problem}"
        );
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(
            problem["type"],
            format!("urn:boardcast:error:{code}"),
            "{problem}"
        );
        assert_eq!(
            problem["instance"].as_str(),
            self.header("x-request-id"),
            "{problem}"
        );
        problem
    }
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).expect("a size");
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        whole.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
    }
    whole
}
