//! A message as it travels: the instance that sent it, then what it says.

use crate::domain::InstanceId;

pub(super) fn seal(from: &InstanceId, message: &[u8]) -> Vec<u8> {
    [from.as_str().as_bytes(), message].concat()
}

/// What another instance says; nothing if it is our own word, or nobody's.
pub(super) fn open<'a>(own: &InstanceId, sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (from, message) = sealed.split_at_checked(InstanceId::LENGTH)?;
    (from != own.as_str().as_bytes()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_others_are_heard() {
        let (one, other) = (InstanceId::generate(), InstanceId::generate());
        let sealed = seal(&one, b"hello");
        assert_eq!(open(&other, &sealed), Some(&b"hello"[..]));
        assert_eq!(open(&one, &sealed), None);
        assert_eq!(open(&other, b"short"), None);
    }
}
