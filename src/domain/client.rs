//! One client across its connections: a browser tab, for example.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Actor, Timestamp};

/// Socket.IO's private session id (`pid`): a secret by which a client shows that it is the one that was connected
/// before. `<32 hexadecimal digits>-<number>`; the number tells sessions apart that could not be continued.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateId {
    secret: String,
    number: u32,
}

/// A client, for others to see. As text a hash is 32 hexadecimal digits, and a connection is
/// `client_<milliseconds>_<20 hexadecimal digits>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientId {
    /// The hash of a [`PrivateId`], from which nobody can tell the secret.
    Hash([u8; 16]),
    /// A client of one connection, which has no private id.
    Connection {
        /// When it connected.
        at: Timestamp,
        /// Random: no two connections have the same, on whatever instances, and nobody can guess it.
        random: [u8; RANDOM_BYTES],
    },
}

const SECRET_LENGTH: usize = 32;
const RANDOM_BYTES: usize = 10;
/// What the ids of connections begin with.
const CONNECTION: &str = "client_";

impl PrivateId {
    /// Bytes of the longest text.
    pub const MAX_LENGTH: usize = SECRET_LENGTH + 1 + 10;

    /// Of a client that was never here before.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            // All of it is chance. Other ids tell when they were made, and are made with the same counter: who sees one
            // could find its neighbours by their hashes.
            secret: uuid::Uuid::new_v4().simple().to_string(),
            number: 0,
        }
    }

    /// Reads a text exactly as [`Display`](fmt::Display) writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (secret, number) = text.split_once('-')?;
        let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let id = Self {
            secret: secret.to_owned(),
            number: number.parse().ok()?,
        };
        let is_secret = secret.len() == SECRET_LENGTH && secret.bytes().all(is_hex);
        (is_secret && id.to_string() == text).then_some(id)
    }

    /// Of the same client, in another session.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            number: self.number.wrapping_add(1),
            ..self
        }
    }

    /// The id that stands for it in one of several places where a client may be at once, so that it is another client in each.
    #[must_use]
    pub fn within(&self, place: &str) -> Self {
        let text = format!("{}\n{place}", self.secret);
        Self {
            secret: ClientId::hash(&Sha256::digest(text)).to_string(),
            number: self.number,
        }
    }

    /// Who holds it.
    #[must_use]
    pub fn client(&self) -> ClientId {
        ClientId::hash(&Sha256::digest(self.secret.as_bytes()))
    }

    /// Who holds it, of those who have shown who they are: in another user's hands it is another client, so that whoever
    /// gets hold of the id of somebody else can neither take that connection's place nor end it.
    #[must_use]
    pub fn client_of(&self, user: &Actor) -> ClientId {
        let text = format!("{}\n{}", self.secret, user.as_str());
        ClientId::hash(&Sha256::digest(text))
    }
}

impl fmt::Display for PrivateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.secret, self.number)
    }
}

/// A secret is not for the log.
impl fmt::Debug for PrivateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateId(…)")
    }
}

impl ClientId {
    /// The id of a new connection.
    #[must_use]
    pub fn of_connection(at: Timestamp) -> Self {
        let uuid = uuid::Uuid::new_v4().into_bytes();
        let mut random = [0; RANDOM_BYTES];
        // Between these bytes stand the version and the variant.
        random[..6].copy_from_slice(&uuid[..6]);
        random[6..].copy_from_slice(&uuid[12..]);
        Self::Connection { at, random }
    }

    fn hash(hash: &[u8]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self::Hash(id)
    }

    /// Reads a text exactly as [`Display`](fmt::Display) writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = match text.strip_prefix(CONNECTION) {
            None => Self::Hash(u128::from_str_radix(text, 16).ok()?.to_be_bytes()),
            Some(rest) => {
                let (at, random) = rest.split_once('_')?;
                let number = u128::from_str_radix(random, 16).ok()?.to_be_bytes();
                let mut random = [0; RANDOM_BYTES];
                random.copy_from_slice(&number[number.len() - RANDOM_BYTES..]);
                let at = Timestamp::from_millis(at.parse().ok()?);
                Self::Connection { at, random }
            }
        };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: &[u8] = match self {
            Self::Hash(hash) => hash,
            Self::Connection { at, random } => {
                write!(f, "{CONNECTION}{}_", at.as_millis())?;
                random
            }
        };
        for byte in digits {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_private_id_is_read_back_as_it_was_written() {
        let id = PrivateId::generate();
        assert_eq!(PrivateId::parse(&id.to_string()), Some(id.clone()));
        let next = id.clone().next();
        assert_ne!(next, id);
        assert_eq!(next.client(), id.client(), "it is the same client");
        assert_ne!(PrivateId::generate().client(), id.client());
        assert!(id.to_string().len() <= PrivateId::MAX_LENGTH);
    }

    #[test]
    fn in_other_hands_it_is_another_client() {
        let id = PrivateId::generate();
        let [ann, bob] = ["ann", "bob"].map(|user| id.client_of(&Actor::new(user)));
        assert_eq!(id.clone().next().client_of(&Actor::new("ann")), ann);
        assert_eq!(HashSet::from([ann, bob, id.client()]).len(), 3);
    }

    #[test]
    fn in_another_place_it_is_another_client_and_each_time_the_same() {
        let id = PrivateId::generate();
        let board = id.within("/board");
        assert_eq!(PrivateId::parse(&board.to_string()), Some(board.clone()));
        assert_eq!(id.clone().next().within("/board").client(), board.client());
        let others = [id.client(), board.client(), id.within("/chat").client()];
        assert_eq!(HashSet::from(others).len(), 3);
    }

    /// An id that is made of the time and a counter can be found by trying: its hash is shown to everybody.
    #[test]
    fn a_secret_is_not_like_the_one_before() {
        let ids: Vec<_> = (0..1000).map(|_| PrivateId::generate().secret).collect();
        let starts: HashSet<_> = ids.iter().map(|secret| &secret[..16]).collect();
        assert_eq!(starts.len(), ids.len(), "half of it is the same");
    }

    #[test]
    fn other_texts_are_no_private_ids() {
        let secret = "0123456789abcdef0123456789abcdef";
        for other in [
            "",
            "-",
            "x-0",
            secret,
            &format!("{secret}-"),
            &format!("{secret}-00"),
            &format!("{secret}-+1"),
            &format!("{secret}-4294967296"),
            &format!("{}-0", secret.to_uppercase()),
            &format!("{secret}0-0"),
            "é123456789abcdef0123456789abcdef-0",
        ] {
            assert_eq!(PrivateId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let id = PrivateId::generate();
        let client = id.client();
        assert!(!format!("{id:?}").contains(&id.secret));
        assert_ne!(client.to_string(), id.secret);
        assert_eq!(ClientId::parse(&client.to_string()), Some(client));
        assert_eq!(ClientId::parse("7"), None);
    }

    #[test]
    fn an_id_of_a_connection_says_when_it_was_made_and_is_read_back() {
        let at = Timestamp::from_millis(1_234_567_890);
        let ids: HashSet<_> = (0..1000).map(|_| ClientId::of_connection(at)).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let text = id.to_string();
            let random = text.strip_prefix("client_1234567890_").unwrap();
            assert_eq!(random.len(), 2 * RANDOM_BYTES, "{text}");
            assert_eq!(ClientId::parse(&text), Some(id));
        }
        for other in [
            "client_",
            "client_1_",
            "client_1_ab",
            "client_x_00000000000000000000",
            "client_01_00000000000000000000",
            "client_1_0000000000000000000000000000000000000000",
            "client_1_0000000000000000000G",
        ] {
            assert_eq!(ClientId::parse(other), None, "{other}");
        }
    }
}
