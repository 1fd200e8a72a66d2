//! A command that the database itself refuses fails alone; its neighbours in the batch are committed.

use serde_json::json;
use sqlx::{Connection, Executor};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn poison_on_sqlite_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    connection
        .execute(
            "CREATE TRIGGER poison BEFORE INSERT ON entities WHEN NEW.fields LIKE '%poison%' \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .await
        .unwrap();
    fails_alone(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_on_postgres_fails_alone() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let server = Server::start(&url).await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    for statement in [
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER poison BEFORE INSERT ON entities FOR EACH ROW \
         WHEN (NEW.fields::text LIKE '%poison%') EXECUTE FUNCTION poison()",
    ] {
        connection.execute(statement).await.unwrap();
    }
    fails_alone(&server).await;
}

async fn fails_alone(server: &Server) {
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let answers: Vec<_> = (0..200)
        .map(|number| {
            let title = if number == 77 { "poison" } else { "good" };
            let task = json!({"projectId": "p", "id": format!("t{number}"), "title": title});
            client.ask("task:create", &[task])
        })
        .collect();
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer.await.unwrap();
        assert_eq!(answer["ok"], number != 77, "{number}: {answer}");
        if number == 77 {
            assert_eq!(answer["code"], "validation_failed");
            assert!(
                !answer.to_string().contains("trigger"),
                "the database's words stay inside: {answer}"
            );
        }
    }
    for seq in 1..=199 {
        assert_eq!(client.next().await.seq(), seq);
    }
}
