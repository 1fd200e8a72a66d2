//! Cuts the body of an import into the JSON texts of its items, however it comes in pieces: one a line, or those of a list.

/// The byte order mark with which some programs begin a text.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// An item's text, or why there is none.
pub(super) type Item = Result<Vec<u8>, Unread>;

/// Why an item cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has more bytes than an item may have.
    TooLarge,
    /// What follows it is no list any more: nothing can be told apart from there on.
    BrokenList,
}

/// How items are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Not known before the first character.
    Unknown,
    /// A line break ends an item.
    Lines,
    /// A comma ends an item, outside of it.
    List,
    /// The list has ended, and nothing may follow.
    Ended,
}

/// See the module. Keeps no more than one item.
#[derive(Debug)]
pub(super) struct Items {
    form: Form,
    max: usize,
    text: Vec<u8>,
    is_too_large: bool,
    /// In how many brackets and braces of an item of a list the next byte is, …
    depth: usize,
    /// … whether it is in a text, …
    in_text: bool,
    /// … and behind a backslash.
    is_escaped: bool,
}

impl Items {
    /// Expects items of at most so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            form: Form::Unknown,
            max,
            text: Vec::new(),
            is_too_large: false,
            depth: 0,
            in_text: false,
            is_escaped: false,
        }
    }

    /// Takes the next piece of the body, and gives the items that end in it.
    pub(super) fn push(&mut self, piece: &[u8], items: &mut Vec<Item>) {
        for &byte in piece {
            match self.form {
                Form::Unknown => match byte {
                    b'[' => self.form = Form::List,
                    byte if byte.is_ascii_whitespace() || MARK.contains(&byte) => {}
                    byte => {
                        self.form = Form::Lines;
                        self.keep(byte);
                    }
                },
                Form::Lines if byte == b'\n' => items.extend(self.take()),
                Form::Lines => self.keep(byte),
                Form::List => self.push_to_list(byte, items),
                Form::Ended if byte.is_ascii_whitespace() => {}
                Form::Ended => return self.break_off(items),
            }
        }
    }

    /// The last item, once the body has ended.
    pub(super) fn finish(&mut self) -> Option<Item> {
        match self.form {
            Form::Unknown | Form::Ended => None,
            Form::Lines => self.take(),
            // A list without an end was cut off, perhaps in the middle of a text.
            Form::List => Some(Err(Unread::BrokenList)),
        }
    }

    fn push_to_list(&mut self, byte: u8, items: &mut Vec<Item>) {
        if self.in_text {
            self.in_text = self.is_escaped || byte != b'"';
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return self.keep(byte);
        }
        match byte {
            b',' if self.depth == 0 => return items.extend(self.take()),
            b']' if self.depth == 0 => {
                items.extend(self.take());
                self.form = Form::Ended;
                return;
            }
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => return self.break_off(items),
            },
            _ => {}
        }
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        if self.text.len() < self.max {
            self.text.push(byte);
        } else {
            self.is_too_large = true;
        }
    }

    /// The item that has ended; nothing between two line breaks, or in an empty list.
    fn take(&mut self) -> Option<Item> {
        let text = std::mem::take(&mut self.text);
        if std::mem::take(&mut self.is_too_large) {
            return Some(Err(Unread::TooLarge));
        }
        let is_empty = text.iter().all(u8::is_ascii_whitespace);
        (!is_empty).then_some(Ok(text))
    }

    fn break_off(&mut self, items: &mut Vec<Item>) {
        items.push(Err(Unread::BrokenList));
        self.form = Form::Ended;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(body: &str, piece: usize) -> Vec<Result<String, Unread>> {
        let (mut cut, mut items) = (Items::new(20), Vec::new());
        for piece in body.as_bytes().chunks(piece) {
            cut.push(piece, &mut items);
        }
        items.extend(cut.finish());
        let text = |text: Vec<u8>| String::from_utf8_lossy(&text).trim().to_owned();
        items.into_iter().map(|item| item.map(text)).collect()
    }

    #[test]
    fn a_body_is_cut_at_lines_or_at_the_commas_of_a_list() {
        let ok = |text: &str| Ok(text.to_owned());
        for (body, expected) in [
            ("", vec![]),
            (" \n \n", vec![]),
            ("[]", vec![]),
            (
                "{\"a\":1}\r\n\n{\"b\":\"[,\"}",
                vec![ok("{\"a\":1}"), ok("{\"b\":\"[,\"}")],
            ),
            ("\u{feff}{}\n", vec![ok("{}")]),
            (
                " [ {\"a\":[1,2]} , {\"b\":\"],\\\"\"}\n]\n",
                vec![ok("{\"a\":[1,2]}"), ok("{\"b\":\"],\\\"\"}")],
            ),
            ("nonsense\n{}", vec![ok("nonsense"), ok("{}")]),
            (
                "[1,\"xxxxxxxxxxxxxxxxxxxxxxxxxxx\",2]",
                vec![ok("1"), Err(Unread::TooLarge), ok("2")],
            ),
            (
                "{\"a\":\"xxxxxxxxxxxxxxxxxxxxx\"}\n1",
                vec![Err(Unread::TooLarge), ok("1")],
            ),
            ("[1,{\"a\":", vec![ok("1"), Err(Unread::BrokenList)]),
            ("[1}", vec![Err(Unread::BrokenList)]),
            ("[1] 2", vec![ok("1"), Err(Unread::BrokenList)]),
        ] {
            for piece in [1, 2, 1000] {
                assert_eq!(items(body, piece), expected, "{body}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(body: Vec<u8>) {
            let (mut cut, mut items) = (Items::new(20), Vec::new());
            cut.push(&body, &mut items);
            items.extend(cut.finish());
            prop_assert!(items.iter().flatten().all(|text| text.len() <= 20));
        }
    }
}
