//! What operators ask for reaches clients on every instance.

use serde_json::json;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::{Cause, Door};
use crate::conformance::message::{NoticeKind, Said};
use crate::conformance::operator::{ADMIN_TOKEN, Operator, Target};
use crate::conformance::scene::{PROJECT, SESSION, connections_become};
use crate::support::cluster::Cluster;
use crate::support::rest::Rest;
use crate::support::server::UNLIMITED;

/// Two instances that hear one another.
struct Instances(Cluster);

impl Instances {
    async fn start() -> Self {
        let settings = [&UNLIMITED[..], &[("ADMIN_TOKEN", ADMIN_TOKEN)]].concat();
        let instances = Self(Cluster::start_with(2, &settings).await);
        instances.operator().sees(2).await;
        instances
    }

    fn operator(&self) -> Operator<'_> {
        Operator {
            address: &self.0.instances[0].address,
        }
    }

    /// A client on each instance.
    async fn connect(&self, door: Door, user: &str, channels: &[&str]) -> [Client; 2] {
        let options = Options::to(channels).user(user);
        let [first, second] = &self.0.instances[..] else {
            panic!("there are two");
        };
        [
            Client::connect(door, &first.address, &options).await,
            Client::connect(door, &second.address, &options).await,
        ]
    }
}

pub(crate) async fn notification_reaches_its_audience(door: Door) {
    let instances = Instances::start().await;
    let mut anns = instances.connect(door, "ann", &[PROJECT]).await;
    let mut bobs = instances.connect(door, "bob", &[SESSION]).await;
    let operator = instances.operator();
    for target in [Target::User("ann"), Target::Project("p"), Target::Everyone] {
        operator.notify(target, &format!("{target:?}")).await;
        for ann in &mut anns {
            let told = ann.notice(NoticeKind::Notification).await;
            assert_eq!(told.body["title"], format!("{target:?}"), "{door:?}");
        }
    }
    for bob in &mut bobs {
        let told = bob.notice(NoticeKind::Notification).await;
        assert_eq!(told.body["title"], "Everyone", "{door:?}");
    }
}

pub(crate) async fn disconnected_user_is_gone_on_every_instance(door: Door) {
    disconnected_is_gone(door, Target::User("ann")).await;
}

pub(crate) async fn disconnected_project_is_empty_on_every_instance(door: Door) {
    disconnected_is_gone(door, Target::Project("p")).await;
}

async fn disconnected_is_gone(door: Door, target: Target<'_>) {
    let instances = Instances::start().await;
    let mut anns = instances.connect(door, "ann", &[PROJECT]).await;
    let bobs = instances.connect(door, "bob", &[SESSION]).await;
    instances.operator().disconnect(target).await;
    for server in &instances.0.instances {
        connections_become(server, 1).await;
    }
    for (ann, server) in anns.iter_mut().zip(&instances.0.instances) {
        let late = json!({"projectId": "p", "taskId": "late"});
        let asked = if door.takes_commands() {
            Some(ann.ask("task:update", late).await)
        } else {
            None
        };
        let told = ann.rest().await;
        let is_ack =
            |said: &&Said| matches!(said, Said::Answer(number, _) if Some(*number) == asked);
        assert!(!told.iter().any(|said| is_ack(&said)), "{door:?}: {told:?}");
        door.assert_ended(&ann.end(), Cause::OperatorDisconnect);
        let rest = Rest::new(&server.address);
        let task = rest.get("/projects/p/tasks/late").await;
        assert_eq!(task.status, 404, "{door:?}: it took effect");
    }
    drop(bobs);
}
