//! What a page listens to, read from its source: `.on('name', handler)` and the like, and the keys that the handler reads.
//!
//! No parser: it looks at a text as somebody does who skims it. What it misses, a person adds.

use std::collections::BTreeSet;

use super::listens::{Listen, Listens, MAX_NEEDS, Need};

/// Bytes of a handler that are looked at.
const MAX_HANDLER: usize = 8 * 1024;
/// Handlers that are named and looked for elsewhere in the text.
const MAX_LOOKUPS: usize = 500;
/// Calls by which pages listen, besides those whose names end in `SocketEvent` or `SocketListener`.
const CALLS: [&str; 8] = [
    ".on(",
    ".once(",
    ".addListener(",
    ".addEventListener(",
    "socketOn(",
    "subscribeToEvent(",
    "SocketEvent(",
    "SocketListener(",
];
/// What is called on a value and is no key of it.
const METHODS: [&str; 34] = [
    "length",
    "map",
    "filter",
    "forEach",
    "find",
    "findIndex",
    "some",
    "every",
    "reduce",
    "slice",
    "splice",
    "push",
    "concat",
    "sort",
    "includes",
    "join",
    "split",
    "trim",
    "toString",
    "toLowerCase",
    "toUpperCase",
    "replace",
    "startsWith",
    "endsWith",
    "then",
    "catch",
    "finally",
    "keys",
    "values",
    "entries",
    "flat",
    "flatMap",
    "indexOf",
    "at",
];
/// Methods that only lists have.
const OF_LISTS: [&str; 9] = [
    "map",
    "filter",
    "forEach",
    "find",
    "findIndex",
    "some",
    "every",
    "reduce",
    "flatMap",
];
/// Emitters that are none of the server's: their events are the browser's or the program's own.
const OTHERS: [&str; 12] = [
    "window",
    "document",
    "process",
    "emitter",
    "router",
    "editor",
    "map",
    "chart",
    "video",
    "audio",
    "mediaQuery",
    "io",
];
/// What the client library says itself.
const OF_THE_LIBRARY: [&str; 12] = [
    "connect",
    "connection",
    "disconnect",
    "connect_error",
    "connect_timeout",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
    "reconnecting",
    "error",
    "ping",
];

/// Reads a file of source.
#[must_use]
pub fn scan(source: &str) -> Listens {
    let text = without_comments(source);
    let mut listens = Listens::default();
    let mut lookups = 0;
    for call in CALLS {
        for (at, _) in text.match_indices(call) {
            if is_another_emitter(&text[..at]) {
                continue;
            }
            let after = &text[at + call.len()..];
            let Some((event, rest)) = literal(after) else {
                continue;
            };
            if OF_THE_LIBRARY.contains(&event) || event.is_empty() || event.len() > 64 {
                continue;
            }
            let handler = rest.trim_start().strip_prefix(',').unwrap_or_default();
            lookups += 1;
            let needs = needs_of(handler.trim_start(), &text, lookups < MAX_LOOKUPS);
            let event = Listen {
                event: event.to_owned(),
                needs,
                namespace: None,
            };
            listens.extend(Listens {
                events: vec![event],
                ..Listens::default()
            });
        }
    }
    add_maps(&text, &mut listens);
    add_connections(&text, &mut listens);
    listens
}

/// Handlers in a map: `{ 'card:moved': (data) => … }` that is passed to a hook.
fn add_maps(text: &str, listens: &mut Listens) {
    for quote in ['\'', '"'] {
        for (at, _) in text.match_indices(quote) {
            let Some((name, rest)) = literal(&text[at..]) else {
                continue;
            };
            let is_name = name.contains([':', '-'])
                && name
                    .chars()
                    .all(|char| char.is_alphanumeric() || ":-_".contains(char));
            let Some(handler) = rest.trim_start().strip_prefix(':').map(str::trim_start) else {
                continue;
            };
            let is_handler = handler.starts_with("function")
                || parameter(handler).is_some_and(|(_, rest)| rest.trim_start().starts_with("=>"));
            if is_name && name.len() <= 64 && is_handler {
                let needs = needs_of(handler, text, false);
                let event = Listen {
                    event: name.to_owned(),
                    needs,
                    namespace: None,
                };
                listens.extend(Listens {
                    events: vec![event],
                    ..Listens::default()
                });
            }
        }
    }
}

/// Where the page connects: `io('/chat', { path: '/socket', auth: { token } })`.
fn add_connections(text: &str, listens: &mut Listens) {
    for (at, _) in text.match_indices("io(") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|char| char.is_alphanumeric() || char == '.' || char == '_') {
            continue;
        }
        let call = balanced(&text[at + 2..], '(', ')');
        let address = call
            .get(1..)
            .unwrap_or_default()
            .split(',')
            .next()
            .unwrap_or_default();
        let parts = address.split(['\'', '"', '`', '}', ' ', '+']);
        let names =
            parts.filter(|part| part.starts_with('/') && part.len() > 1 && !part.starts_with("//"));
        listens.namespaces.extend(names.map(str::to_owned));
        if let Some((_, path)) = call.split_once("path:")
            && let Some((path, _)) = literal(path.trim_start())
        {
            listens.paths.push(path.to_owned());
        }
        if let Some((_, auth)) = call.split_once("auth:")
            && auth.trim_start().starts_with('{')
        {
            let keys = keys_of(balanced(auth.trim_start(), '{', '}'));
            listens.auth.extend(keys.into_iter().map(|(key, _)| key));
        }
    }
    listens.extend(Listens::default());
}

/// Whether what stands before a call is an emitter of something else.
fn is_another_emitter(before: &str) -> bool {
    let is_name = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
    let start = before.rfind(|char| !is_name(char)).map_or(0, |at| at + 1);
    let name = before.get(start..).unwrap_or_default();
    OTHERS.contains(&name)
}

/// The text of a literal at the start, and what comes after it.
fn literal(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|char| "'\"`".contains(*char))?;
    let rest = &text[1..];
    let end = rest.find(quote)?;
    let inner = &rest[..end];
    (!inner.contains(['\n', '$', '\\'])).then(|| (inner, &rest[end + 1..]))
}

/// What a handler reads of its first argument.
fn needs_of(handler: &str, text: &str, may_look: bool) -> Vec<Need> {
    if let Some(named) = function_named(handler).filter(|_| may_look) {
        let found = definition(named, text);
        return found.map_or_else(Vec::new, |definition| needs_of(definition, text, false));
    }
    let Some((parameter, rest)) = parameter(handler) else {
        return Vec::new();
    };
    let body = body(rest);
    let parameter = parameter.trim();
    let mut needs = BTreeSet::new();
    if parameter.starts_with('{') {
        for (key, alias) in keys_of(balanced(parameter, '{', '}')) {
            let inner = reads(&alias, body);
            add(&mut needs, &[key], inner);
        }
    } else {
        let name: String = parameter
            .chars()
            .take_while(|char| char.is_alphanumeric() || "_$".contains(*char))
            .collect();
        if !name.is_empty() {
            needs.extend(reads(&name, body));
        }
    }
    needs.into_iter().take(MAX_NEEDS).collect()
}

/// Puts what is read of a value below the keys that lead to it.
fn add(needs: &mut BTreeSet<Need>, keys: &[String], inner: BTreeSet<Need>) {
    let mut is_read_inside = false;
    for need in inner {
        if let Need::Path(path) = need {
            is_read_inside = true;
            needs.insert(Need::Path([keys, &path].concat()));
        }
    }
    if !is_read_inside {
        needs.insert(Need::Path(keys.to_vec()));
    }
}

/// What a body reads of a name: `data.taskId`, `data?.task?.id`, `const { a } = data`, `data.map(…)`.
fn reads(name: &str, body: &str) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    let mut is_bare = false;
    for (at, _) in body.match_indices(name) {
        let (before, after) = (&body[..at], &body[at + name.len()..]);
        let is_part = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
        let joins = before
            .chars()
            .next_back()
            .is_some_and(|char| is_part(char) || char == '.');
        if (joins && !before.ends_with("...")) || after.starts_with(is_part) {
            continue;
        }
        let path = path(after);
        match path.as_slice() {
            [] => {
                is_bare = true;
                if after.trim_start().starts_with([':', '}'])
                    && !before.trim_end().ends_with(['?', '('])
                {
                    continue;
                }
                for (key, alias) in destructured(before) {
                    let inner = if alias == name {
                        BTreeSet::new()
                    } else {
                        reads(&alias, after)
                    };
                    add(&mut needs, &[key], inner);
                }
            }
            [method] if OF_LISTS.contains(&method.as_str()) => {
                needs.insert(Need::List);
            }
            _ => {
                let mut keys: Vec<_> = path
                    .into_iter()
                    .take_while(|key| !METHODS.contains(&key.as_str()))
                    .collect();
                keys.truncate(4);
                if !keys.is_empty() {
                    needs.insert(Need::Path(keys));
                }
            }
        }
    }
    let is_compared = |mark: &str| {
        let spaced = [format!("{mark} {name}"), format!("{name} {mark}")];
        spaced.iter().any(|text| body.contains(text.as_str()))
    };
    if needs.is_empty() && is_bare {
        // An id by itself is compared with others'.
        needs.insert(if is_compared("===") || is_compared("!==") {
            Need::Text
        } else {
            Need::Anything
        });
    }
    if needs.contains(&Need::List) {
        needs.retain(|need| *need == Need::List);
    }
    needs
}

/// The keys that are read behind a name: `?.task?.id` and `['a']`.
fn path(mut after: &str) -> Vec<String> {
    let mut keys = Vec::new();
    loop {
        after = after.strip_prefix('!').unwrap_or(after);
        let rest = after.strip_prefix("?.").or_else(|| {
            after
                .strip_prefix('.')
                .filter(|rest| !rest.starts_with(".."))
        });
        let Some(rest) = rest else {
            return keys;
        };
        let key: String = rest
            .chars()
            .take_while(|char| char.is_alphanumeric() || "_$".contains(*char))
            .collect();
        if key.is_empty() || keys.len() > 6 {
            return keys;
        }
        after = &rest[key.len()..];
        keys.push(key);
    }
}

/// The keys of `const { a, b: c } = ` at the end of a text.
fn destructured(before: &str) -> Vec<(String, String)> {
    let Some(before) = before.trim_end().strip_suffix('=').map(str::trim_end) else {
        return Vec::new();
    };
    let Some(start) = before.rfind('{').filter(|_| before.ends_with('}')) else {
        return Vec::new();
    };
    keys_of(&before[start..])
}

/// The keys of an object pattern, and the names under which they are used.
fn keys_of(pattern: &str) -> Vec<(String, String)> {
    let inner = pattern.trim_start_matches('{').trim_end_matches('}');
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for char in inner.chars() {
        match char {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(char);
        }
    }
    let word = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|char| char.is_alphanumeric() || "_$".contains(*char))
            .collect()
    };
    let keys = parts
        .iter()
        .filter(|part| !part.trim_start().starts_with("..."));
    keys.map(|part| match part.split_once(':') {
        Some((key, alias)) => (word(key), word(alias)),
        None => (word(part), word(part)),
    })
    .filter(|(key, _)| !key.is_empty())
    .collect()
}

/// The first parameter of a function at the start of a text, and what comes after its parameters.
fn parameter(handler: &str) -> Option<(&str, &str)> {
    let handler = handler
        .strip_prefix("async")
        .map_or(handler, str::trim_start);
    if let Some(rest) = handler.strip_prefix("function") {
        let open = rest.find('(')?;
        let list = balanced(&rest[open..], '(', ')');
        return Some((
            list.get(1..list.len().saturating_sub(1))?,
            &rest[open + list.len()..],
        ));
    }
    if handler.starts_with('(') {
        let list = balanced(handler, '(', ')');
        return Some((
            list.get(1..list.len().saturating_sub(1))?,
            &handler[list.len()..],
        ));
    }
    let end = handler.find(|char: char| !(char.is_alphanumeric() || "_$".contains(char)))?;
    let (name, rest) = handler.split_at(end);
    (!name.is_empty() && rest.trim_start().starts_with("=>")).then_some((name, rest))
}

/// The name of a function that is passed by name: `handleMoved` or `this.handleMoved`, perhaps bound.
fn function_named(handler: &str) -> Option<&str> {
    let handler = handler.strip_prefix("this.").unwrap_or(handler);
    let end = handler
        .find(|char: char| !(char.is_alphanumeric() || "_$".contains(char)))
        .unwrap_or(handler.len());
    let (name, rest) = handler.split_at(end);
    let rest = rest.trim_start();
    let is_alone =
        rest.starts_with([')', ',', ';']) || rest.starts_with(".bind(") || rest.is_empty();
    (!name.is_empty() && is_alone && name != "function").then_some(name)
}

/// Where a function of a name is defined.
fn definition<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    for start in [format!("function {name}("), format!("function {name} (")] {
        if let Some(at) = text.find(&start) {
            return text.get(at..);
        }
    }
    for start in [
        format!("{name} = "),
        format!("{name}: "),
        format!("{name}="),
    ] {
        for (at, _) in text.match_indices(&start) {
            let mut rest = text.get(at + start.len()..)?.trim_start();
            for wrapper in [
                "useCallback(",
                "React.useCallback(",
                "useEffectEvent(",
                "debounce(",
                "throttle(",
            ] {
                rest = rest.strip_prefix(wrapper).map_or(rest, str::trim_start);
            }
            if parameter(rest).is_some() {
                return Some(rest);
            }
        }
    }
    // A method of a class.
    let at = text
        .find(&format!("\n  {name}("))
        .or_else(|| text.find(&format!("  {name}(")))?;
    let rest = text.get(at..)?.trim_start();
    rest.get(name.len()..)
}

/// The body of a function: in braces, or one expression.
fn body(rest: &str) -> &str {
    let rest = rest.trim_start();
    // The type that a TypeScript function gives back.
    let arrow = rest
        .find("=>")
        .filter(|at| !rest[..*at].contains('{') && *at < 80);
    let rest = arrow.map_or(rest, |at| rest[at + 2..].trim_start());
    let rest = cut(rest, MAX_HANDLER);
    if rest.starts_with('{') {
        return balanced(rest, '{', '}');
    }
    let mut depth = 0_i32;
    for (at, char) in rest.char_indices() {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ';' if depth == 0 => return &rest[..at],
            _ => {}
        }
        if depth < 0 {
            return &rest[..at];
        }
    }
    rest
}

/// The start of a text up to the bracket that closes its first one.
fn balanced(text: &str, open: char, close: char) -> &str {
    let text = cut(text, MAX_HANDLER);
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, char) in text.char_indices() {
        match (quote, char) {
            (Some(mark), char) if char == mark || (char == '\n' && mark != '`') => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(char),
            (None, char) if char == open => depth += 1,
            (None, char) if char == close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return &text[..at + char.len_utf8()];
                }
            }
            _ => {}
        }
    }
    text
}

fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text with its comments blank.
fn without_comments(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    let mut quote = None;
    while let Some(char) = chars.next() {
        match (quote, char, chars.peek()) {
            (None, '/', Some('/')) if !text.ends_with(':') => {
                while chars.next_if(|char| *char != '\n').is_some() {}
            }
            (None, '/', Some('*')) => {
                let mut before = ' ';
                for char in chars.by_ref() {
                    if before == '*' && char == '/' {
                        break;
                    }
                    before = char;
                }
            }
            (None, '\'' | '"' | '`', _) => {
                quote = Some(char);
                text.push(char);
            }
            (Some(mark), char, _) if char == mark || (char == '\n' && mark != '`') => {
                quote = None;
                text.push(char);
            }
            (Some(_), '\\', Some(_)) => {
                text.push(char);
                text.extend(chars.next());
            }
            _ => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needs(source: &str, event: &str) -> Vec<String> {
        let listens = scan(source);
        let found = listens.events.iter().find(|listen| listen.event == event);
        let found = found.unwrap_or_else(|| panic!("{event} in {listens:?}"));
        let text = |need: &Need| match need {
            Need::Anything => "=any".to_owned(),
            Need::Text => "=string".to_owned(),
            Need::List => "=array".to_owned(),
            Need::Path(path) => path.join("."),
        };
        found.needs.iter().map(text).collect()
    }

    #[test]
    fn handlers_are_read() {
        for (source, expected) in [
            (
                "socket.on('e', (data) => { move(data.taskId, data.to); })",
                vec!["taskId", "to"],
            ),
            (
                "socket.on(\"e\", ({ taskId, status: next }) => set(taskId, next))",
                vec!["status", "taskId"],
            ),
            (
                "socket?.on('e', task => add(task.id, task?.owner?.name))",
                vec!["id", "owner.name"],
            ),
            (
                "socket.once('e', function (d) { const { a, b: c } = d; go(a, c.x) })",
                vec!["a", "b.x"],
            ),
            (
                "socket.on('e', ({ card }) => setCards(p => [...p, card._id]))",
                vec!["card._id"],
            ),
            (
                "socket.on('e', (id) => set(p => p.filter(t => t.id !== id)))",
                vec!["=string"],
            ),
            (
                "socket.on('e', (tasks) => tasks.map(t => t.id))",
                vec!["=array"],
            ),
            (
                "socket.on('e', (task) => setTasks(prev => [...prev, task]))",
                vec!["=any"],
            ),
            (
                "socket.on('e', (data: Moved): void => { use(data.x) })",
                vec!["x"],
            ),
            (
                "const h = useCallback((m) => { add(m.text) }, []);\nsocket.on('e', h);",
                vec!["text"],
            ),
            (
                "function h(m) { add(m.text) }\nsocket.on('e', h)",
                vec!["text"],
            ),
            ("useSocketEvent('e', (m) => add(m.text))", vec!["text"]),
            ("socket.on('e', () => reload())", vec![]),
            (
                "// socket.on('x', a)\nsocket.on('e', (m) => /* m.no */ add(m.yes))",
                vec!["yes"],
            ),
            (
                "socket.on('e', (m) => show(m.items.map(i => i.id)))",
                vec!["items"],
            ),
        ] {
            assert_eq!(needs(source, "e"), expected, "{source}");
        }
    }

    #[test]
    fn what_is_no_listen_is_left_out() {
        let source =
            "window.addEventListener('resize', f); socket.on('connect', f); socket.on(NAME, f);
            socket.on(`a${b}`, f); emitter.on('x', f); socket.off('y', f); io.on('connection', f);";
        assert_eq!(scan(source).events, []);
    }

    #[test]
    fn connections_and_maps_are_read() {
        let source = "const s = io(`${URL}/chat`, { path: '/rt', auth: { token, userId: me.id } });
            useSocket({ 'card:moved': (d) => move(d.cardId), 'a-title': 'text', other: 1 });";
        let listens = scan(source);
        assert_eq!(listens.namespaces, ["/chat"]);
        assert_eq!(listens.paths, ["/rt"]);
        assert_eq!(listens.auth, ["token", "userId"]);
        assert_eq!(needs(source, "card:moved"), ["cardId"]);
        assert_eq!(listens.events.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_read(parts in prop::collection::vec(prop::sample::select(vec![
            ".on(", "'e'", "\"", "`", ",", "(", ")", "{", "}", "=>", "d", ".", "?.", "a", "/*", "//", "\n", "é", "const ",
            "=", "function", "io(", "path:", "auth:", ":", "\\", "🙂",
        ]), 0..60)) {
            let listens = scan(&parts.concat());
            prop_assert!(listens.events.len() < 60);
        }
    }
}
