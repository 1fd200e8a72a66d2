//! Those who change and publish, one at each door. Every word carries a mark of its own.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::http;

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

const PROJECTS: [&str; 2] = ["p", "q"];

/// See the module.
pub(super) struct Writers {
    addresses: Vec<String>,
    socket_io: Vec<Client>,
    flat: Socket,
    envelope: Socket,
    redis: TcpStream,
    marks: usize,
}

impl Writers {
    pub(super) async fn connect(cluster: &Cluster) -> Self {
        let addresses = cluster.addresses().to_vec();
        let open = async |path: &str| {
            let url = format!("ws://{}{path}", addresses[0]);
            tokio_tungstenite::connect_async(url).await.unwrap().0
        };
        let mut socket_io = Vec::new();
        for address in &addresses {
            socket_io.push(Client::connect(address).await);
        }
        let writers = Self {
            flat: open("/ws?sessionId=s").await,
            envelope: open("/ws/v1").await,
            redis: TcpStream::connect(cluster.redis.address()).await.unwrap(),
            socket_io,
            addresses,
            marks: 0,
        };
        for project in PROJECTS {
            let made = json!({"id": project, "title": project});
            let made = writers.socket_io[0].call("project:create", made).await;
            assert_eq!(made["ok"], true, "{made}");
        }
        writers
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("mark-{}", self.marks)
    }

    pub(super) async fn write(&mut self, chance: &mut Chance) {
        let project = *chance.pick(&PROJECTS);
        let task = format!("t{}", chance.below(5));
        let at = chance.below(2);
        let mark = self.mark();
        match chance.below(9) {
            0 => {
                let edit = json!({"projectId": project, "taskId": task, "mark": mark, "x": 1.50});
                let answer = self.socket_io[at].call("task:update", edit).await;
                assert_eq!(answer["ok"], true, "{answer}");
            }
            1 => {
                let edit = json!({"projectId": project, "id": task, "mark": mark});
                let message = json!({"type": "task:update", "data": edit, "id": mark});
                self.ask_flat(&message).await;
            }
            2 => {
                let path = format!("/api/projects/{project}/tasks/{task}");
                self.http(at, "PATCH", &path, &json!({"mark": mark})).await;
            }
            3 => self.write_together(at, project, &task, &mark).await,
            4 | 5 => {
                let names = ["session:s", "user:ann", "agent:a", "agent:b", "ui:activity"];
                let data = json!({"z": mark, "a": [1, null]});
                let body = json!({"channel": chance.pick(&names), "type": "said", "data": data});
                self.http(at, "POST", "/api/publish", &body).await;
            }
            6 => {
                let text = format!("{{ \"said\" : \"{mark}\" }}");
                self.say_to_redis(&text).await;
            }
            7 => {
                let message = json!({"type": "codeContext", "file": "a.rs", "mark": mark});
                self.flat
                    .send(Message::text(message.to_string()))
                    .await
                    .unwrap();
            }
            _ => {
                let data = json!({"agentId": "a", "status": "busy", "mark": mark});
                let message = json!({"id": mark, "type": "agent_status", "timestamp": 1, "data": data,
                    "metadata": {"version": "1.0", "source": "it"}});
                self.envelope
                    .send(Message::text(message.to_string()))
                    .await
                    .unwrap();
            }
        }
    }

    async fn write_together(&mut self, at: usize, project: &str, task: &str, mark: &str) {
        let second = self.mark();
        let edit =
            |mark: &str| json!({"event": "task:update", "data": {"taskId": task, "mark": mark}});
        let path = format!("/api/projects/{project}/commands");
        let body = json!({"commands": [edit(mark), edit(&second)]});
        let answer = self.http(at, "POST", &path, &body).await;
        let replies = answer["results"].as_array().unwrap();
        assert!(replies.iter().all(|reply| reply["ok"] == true), "{answer}");
    }

    async fn ask_flat(&mut self, message: &Value) {
        self.flat
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
        let answer = wait_for(&mut self.flat, |said| said["type"] == "ack").await;
        assert_eq!(answer["ok"], true, "{answer}");
    }

    async fn http(&self, at: usize, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let (status, answer) = http::request(&self.addresses[at], &(head + &body)).await;
        assert!(
            (200..300).contains(&status),
            "{status} {method} {path} {body}: {answer}"
        );
        serde_json::from_str(&answer).unwrap()
    }

    async fn say_to_redis(&mut self, text: &str) {
        let command = format!(
            "*3\r\n$7\r\nPUBLISH\r\n$11\r\nui:activity\r\n${}\r\n{text}\r\n",
            text.len()
        );
        self.redis.write_all(command.as_bytes()).await.unwrap();
        let mut answer = [0; 64];
        let read = self.redis.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b":"), "{answer:?}");
    }

    /// How many marks there are. They may not all be in the log yet: not every door answers.
    pub(super) fn marks(&self) -> usize {
        self.marks
    }
}

async fn wait_for(socket: &mut Socket, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = socket
            .next()
            .await
            .expect("it goes on")
            .expect("it goes on");
        if let Message::Text(text) = message {
            let said: Value = serde_json::from_str(text.as_str()).unwrap();
            assert!(said["type"] != "error", "{said}");
            if is_it(&said) {
                return said;
            }
        }
    }
}
