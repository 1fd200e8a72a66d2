//! From an event and its arguments to what a client asks for.

use serde_json::Value;

use super::names::Name;
use super::{
    Arguments, CommandRequest, EventName, Limits, ReadRequest, Reply, Request, bulk, list, signal,
    subscribe,
};
use crate::domain::Fields;

/// Where a token, or an API key, stands in a payload, the first that is there.
const CREDENTIALS: [&str; 3] = ["token", "apiKey", "api_key"];

impl Request {
    /// Reads what a client asks for by an event.
    ///
    /// # Errors
    ///
    /// The refusal that names what is wrong with the arguments.
    pub fn read(
        event: EventName,
        arguments: Arguments<'_>,
        limits: &Limits,
    ) -> Result<Self, Reply> {
        let all = || {
            let mut arguments = arguments.read(*limits)?;
            event.translate(&mut arguments);
            Ok(arguments)
        };
        let first = || Ok(all()?.into_iter().next());
        Ok(match event.entry().name {
            Name::Command(..) => {
                let values = arguments.read(*limits)?;
                let sent = arguments.bytes();
                if let Some(commands) = bulk::commands_in(event.entry(), &values)? {
                    Self::Bulk(bulk(event, commands, sent, limits)?)
                } else {
                    let command = CommandRequest::of_values(event, None, values, sent, limits)?;
                    Self::Command(Box::new(command))
                }
            }
            Name::Signal(kind, active) => {
                let mut arguments = arguments.read(signal::limits(*limits))?;
                event.translate(&mut arguments);
                Self::Signal(signal::read(kind, active, arguments, *limits)?)
            }
            Name::Join => Self::Join(subscribe::join(all()?, *limits)?),
            Name::Leave => Self::Leave {
                project: subscribe::project(first()?, *limits)?,
            },
            Name::JoinList => Self::Subscribe(subscribe::list(first()?)?),
            Name::LeaveList => Self::Unsubscribe {
                channels: subscribe::list(first()?)?.channels,
            },
            Name::Snapshot => Self::Read(subscribe::snapshot(first()?, *limits)?),
            Name::List(kind) => {
                let mut values = arguments.read(*limits)?;
                let original = event.translate(&mut values);
                let mut wish = list::list(kind, values.into_iter().next(), *limits)?;
                wish.echo = original.unwrap_or(wish.echo);
                Self::Read(ReadRequest::List(Box::new(wish)))
            }
            Name::Sync => Self::Read(subscribe::sync(first()?, *limits)?),
            Name::Subscribe => Self::Subscribe(subscribe::channels(first()?, *limits)?),
            Name::Unsubscribe => Self::Unsubscribe {
                channels: subscribe::channels(first()?, *limits)?.channels,
            },
            Name::Refresh => Self::Refresh {
                token: token_in(first()?)?,
            },
        })
    }
}

/// Reads the commands of a message. A key of the message is one of each.
fn bulk(
    event: EventName,
    commands: Vec<Fields>,
    sent: usize,
    limits: &Limits,
) -> Result<Vec<CommandRequest>, Reply> {
    let share = sent / commands.len();
    let commands = commands.into_iter().enumerate().map(|(index, command)| {
        let values = vec![Value::Object(command)];
        let mut command = CommandRequest::of_values(event, None, values, share, limits)?;
        if let Some(key) = &mut command.key {
            *key = format!("{key}#{index}");
        }
        Ok(command)
    });
    commands.collect()
}

/// Reads the token by itself, or in `{token}`.
fn token_in(argument: Option<Value>) -> Result<String, Reply> {
    let [name, ..] = CREDENTIALS;
    let token = match argument {
        Some(Value::Object(mut fields)) => {
            CREDENTIALS.into_iter().find_map(|name| fields.remove(name))
        }
        token => token,
    };
    match token {
        Some(Value::String(token)) if !token.is_empty() => Ok(token),
        Some(_) => Err(Reply::invalid(name, "must be a string that is not empty")),
        None => Err(Reply::invalid(name, "is missing")),
    }
}
