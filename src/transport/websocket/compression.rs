//! What stands under `data` of an envelope, as gzip in base64: where `metadata.compressed` is true.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;

use super::raw_object::{RawObject, put, quoted};
use crate::contract::EnvelopeFlaw;

/// Data of more bytes is compressed for those who want that…
const MIN: usize = 1024;
/// … unless it has more than this: for so long nobody else is to wait.
const MAX: usize = 1024 * 1024;
/// How [`metadata`](super::format) says that data stands there as it is, and that it does not.
const PLAIN: &str = "\"compressed\":false";
const COMPRESSED: &str = "\"compressed\":true";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether data is to be compressed at all.
pub(super) fn is_worth_it(data: &str) -> bool {
    (MIN + 1..=MAX).contains(&data.len())
}

/// The data as a JSON string of base64; nothing if that would not be shorter.
pub(super) fn compressed(data: &str) -> Option<String> {
    if !is_worth_it(data) {
        return None;
    }
    let mut gzip = GzEncoder::new(Vec::with_capacity(data.len() / 2), Compression::fast());
    gzip.write_all(data.as_bytes()).ok()?;
    let text = quoted(&BASE64.encode(gzip.finish().ok()?));
    (text.len() < data.len()).then_some(text)
}

/// A whole message of the server's own with its data compressed, if that is worth it.
pub(super) fn whole(message: String) -> String {
    let packed = || {
        let members = RawObject::read(&message)?;
        let data = compressed(members.get("data")?.get())?;
        let mut packed = String::with_capacity(data.len() + 256);
        packed.push('{');
        for (key, raw) in &members.0 {
            match &**key {
                "data" => put(&mut packed, key, &data),
                "metadata" => put(&mut packed, key, &raw.get().replacen(PLAIN, COMPRESSED, 1)),
                key => put(&mut packed, key, raw.get()),
            }
        }
        packed.push('}');
        Some(packed)
    };
    let packed = packed();
    packed.unwrap_or(message)
}

/// The data that a client has compressed. No more than `max` bytes are ever made of it.
///
/// # Errors
///
/// It is not what it should be, or too large.
pub(super) fn inflated(data: &RawValue, max: usize) -> Result<Box<RawValue>, EnvelopeFlaw> {
    let flaw = |what| EnvelopeFlaw::new("data", what);
    let text = serde_json::from_str::<Cow<'_, str>>(data.get());
    let text = text.map_err(|_| flaw("must be a text if metadata.compressed is true"))?;
    let bytes = BASE64.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| flaw("must be base64 if metadata.compressed is true"))?;
    let mut json = Vec::new();
    let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = GzDecoder::new(&bytes[..]).take(most).read_to_end(&mut json);
    if json.len() > max {
        return Err(EnvelopeFlaw::too_large("data"));
    }
    read.map_err(|_| flaw("must be gzip in base64 if metadata.compressed is true"))?;
    let json = String::from_utf8(json).ok();
    let json = json.and_then(|json| RawValue::from_string(json).ok());
    json.ok_or_else(|| flaw("must be JSON that is compressed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ErrorCode;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn gzip(bytes: &[u8]) -> Box<RawValue> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(bytes).unwrap();
        raw(&quoted(&BASE64.encode(gzip.finish().unwrap())))
    }

    fn refused(data: &RawValue, max: usize) -> Option<ErrorCode> {
        inflated(data, max).unwrap_err().refusal().code()
    }

    #[test]
    fn data_comes_back_byte_by_byte() {
        let data = format!(r#"{{ "a" : 1.50, "text":"{}" }}"#, "é\\n ".repeat(500));
        let packed = compressed(&data).unwrap();
        assert!(packed.len() < data.len() / 10, "{}", packed.len());
        let back = inflated(&raw(&packed), data.len()).unwrap();
        assert_eq!(back.get(), data);
        for small in ["{}", &format!("\"{}\"", "x".repeat(MIN - 2))] {
            assert_eq!(compressed(small), None);
        }
    }

    #[test]
    fn bombs_and_nonsense_are_refused() {
        let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
        assert!(bomb.get().len() < 128 * 1024);
        let began = std::time::Instant::now();
        assert_eq!(refused(&bomb, 1000), Some(ErrorCode::PayloadTooLarge));
        assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
        let whole = gzip(br#"{"a":1}"#);
        assert!(inflated(&whole, 7).is_ok());
        assert_eq!(refused(&whole, 6), Some(ErrorCode::PayloadTooLarge));
        let cut = &whole.get()[..whole.get().len() - 12];
        for nonsense in [
            raw("{}"),
            raw("\"%\""),
            raw("\"aGVsbG8=\""),
            raw(&format!("{cut}\"")),
            gzip(b"{no json"),
            gzip(b"\xff\xfe"),
        ] {
            assert_eq!(refused(&nonsense, 1000), Some(ErrorCode::ValidationFailed));
        }
    }

    #[test]
    fn whole_message_says_that_its_data_is_compressed() {
        let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(2000));
        let of = |data: &str| {
            format!(
                r#"{{"type":"ack","data":{data},"metadata":{{"correlationId":"\"compressed\":false",{PLAIN}}}}}"#
            )
        };
        let message = whole(of(&data));
        let members = RawObject::read(&message).unwrap();
        assert_eq!(
            inflated(members.get("data").unwrap(), 4000).unwrap().get(),
            data
        );
        let metadata = r#"{"correlationId":"\"compressed\":false","compressed":true}"#;
        assert_eq!(members.get("metadata").unwrap().get(), metadata);
        assert_eq!(whole(of("{}")), of("{}"));
    }
}
