//! Puts the private session id (`pid`) into the answer to CONNECT.
//!
//! Socket.IO's clients from version 4.6 on offer to go on where they were if they were given one, and no other client
//! minds. socketioxide gives none and has no place for it, so its answer is completed on its way out: `40{"sid":"…"}`
//! becomes `40{"sid":"…","pid":"…"}`. No other packet begins like that.

use crate::domain::PrivateId;
use crate::transport::flow::lengths;

const START: &[u8] = br#"40{"sid":""#;
const END: &[u8] = br#""}"#;
/// What is added besides the id.
const KEY: usize = br#","pid":"""#.len();
/// Payload bytes of an answer that is still short with the id: the length of a short frame is one byte.
const MAX_ANSWER: usize = 125 - KEY - PrivateId::MAX_LENGTH;
const SHORT_HEADER: usize = 2;
/// Opcode of a whole text message.
const TEXT: u8 = 0x81;

/// The answer to CONNECT, with the id.
fn complete(packet: &[u8], pid: &PrivateId) -> Vec<u8> {
    let open = packet.len() - 1;
    let mut completed = packet[..open].to_vec();
    completed.extend(format!(r#","pid":"{pid}"}}"#).bytes());
    completed
}

fn is_answer(packet: &[u8]) -> bool {
    packet.len() <= MAX_ANSWER && packet.starts_with(START) && packet.ends_with(END)
}

/// The body of a polling answer, with the id in it; `None` if it does not answer CONNECT.
pub(super) fn complete_body(
    body: &str,
    take: impl FnOnce() -> Option<PrivateId>,
) -> Option<String> {
    let packet = body
        .split('\u{1e}')
        .find(|packet| is_answer(packet.as_bytes()))?;
    let completed = String::from_utf8(complete(packet.as_bytes(), &take()?)).ok()?;
    Some(body.replacen(packet, &completed, 1))
}

/// Where the answer to CONNECT stands among frames: from where to where. They begin at the beginning of a frame, and
/// the answer is not found if it is not whole: whoever writes frames writes them whole.
pub(super) fn find_frame(frames: &[u8]) -> Option<(usize, usize)> {
    let mut start = 0;
    while let Some(&first) = frames.get(start) {
        // Whether it is masked does not count: as in `Frames`, or the two would disagree on where it ends.
        let (header, length) = lengths(&frames[start..])?;
        let length = usize::try_from(length).ok()?;
        let end = start.checked_add(header)?.checked_add(length)?;
        let payload = frames.get(start + header..end)?;
        if first == TEXT && header == SHORT_HEADER && is_answer(payload) {
            return Some((start, end));
        }
        start = end;
    }
    None
}

/// The frame that is the answer to CONNECT, with the id.
pub(super) fn complete_frame(frame: &[u8], pid: &PrivateId) -> Vec<u8> {
    let payload = complete(&frame[SHORT_HEADER..], pid);
    let length = u8::try_from(payload.len()).expect("it is short, see MAX_ANSWER");
    let mut completed = vec![TEXT, length];
    completed.extend(payload);
    completed
}

#[cfg(test)]
mod tests {
    use super::super::frames::frame;
    use super::*;

    const ANSWER: &str = r#"40{"sid":"AAAAAAAAAAAAAAAA"}"#;

    #[test]
    fn the_answer_is_found_among_other_frames() {
        let long = format!("42[{:?}]", ANSWER.repeat(5000));
        let before = [frame(1, "2"), frame(1, &long), frame(1, "42[\"40{\"]")].concat();
        let frames = [before.clone(), frame(1, ANSWER), frame(1, "2")].concat();
        let (start, end) = find_frame(&frames).unwrap();
        assert_eq!(
            (start, end),
            (before.len(), before.len() + ANSWER.len() + 2)
        );
        let pid = PrivateId::generate();
        let completed = complete_frame(&frames[start..end], &pid);
        let expected = format!(r#"40{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
        assert_eq!(completed, frame(1, &expected));
    }

    #[test]
    fn other_frames_stay() {
        for other in [
            "",
            "2",
            "40",
            "40/admin,{\"sid\":\"A\"}",
            "44{\"message\":\"x\"}",
        ] {
            assert_eq!(find_frame(&frame(1, other)), None, "{other}");
        }
        let cut = frame(1, ANSWER);
        assert_eq!(find_frame(&cut[..cut.len() - 1]), None);
        let masked = [&[TEXT, 0x80 | 0x7e, 0, 0][..], &frame(1, ANSWER)].concat();
        assert_eq!(find_frame(&masked), Some((4, masked.len())));
        assert_eq!(
            find_frame(&[TEXT, 127, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            None
        );
    }

    #[test]
    fn the_longest_id_fits() {
        let secret = "0123456789abcdef0123456789abcdef";
        let pid = PrivateId::parse(&format!("{secret}-{}", u32::MAX)).unwrap();
        let answer = format!(r#"40{{"sid":"{}"}}"#, "A".repeat(MAX_ANSWER - 12));
        let completed = complete_frame(&frame(1, &answer), &pid);
        assert_eq!(completed[1], 125);
    }

    #[test]
    fn a_polling_body_is_completed() {
        let pid = PrivateId::generate();
        let body = format!("2\u{1e}{ANSWER}\u{1e}42[1]");
        let completed = complete_body(&body, || Some(pid.clone())).unwrap();
        let expected = format!(r#"40{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
        assert_eq!(completed, format!("2\u{1e}{expected}\u{1e}42[1]"));
        assert_eq!(complete_body("42[\"x\"]", || unreachable!()), None);
        assert_eq!(complete_body(&body, || None), None);
    }
}
