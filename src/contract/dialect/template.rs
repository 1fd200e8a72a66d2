//! Templates: values in which texts that begin with `$` stand for something. See `dialects/README.md`, *Templates*.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::contract::toml_node::{DialectError, Node, or};

/// What takes all keys of an object.
const SPREAD: &str = "...";
const LIST: &str = "$list";
const WHERE: &str = "$where";
const EACH: &str = "$each";

/// Makes the enum and the names of all out of one table.
macro_rules! roots {
    ($($(#[$about:meta])* $root:ident = $name:literal,)*) => {
        /// What a reference begins with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Root {
            $($(#[$about])* $root,)*
        }

        impl Root {
            const ALL: &[Self] = &[$(Self::$root,)*];

            /// As it stands behind the `$`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$root => $name,)*
                }
            }
        }
    };
}

roots! {
    /// The first argument, or an event's payload.
    Data = "data",
    /// All arguments.
    Args = "args",
    /// The project's id.
    Room = "room",
    /// Who caused it.
    User = "user",
    /// The connection that caused it.
    Socket = "socket",
    /// What the client said in `auth` when it connected.
    Auth = "auth",
    /// What it said in the query.
    Query = "query",
    /// The claims of its token.
    Token = "token",
    /// The entity.
    Entity = "entity",
    /// The answer.
    Ack = "ack",
    /// The refusal.
    Error = "error",
    /// Who is in the project.
    Presence = "presence",
    /// The project's state.
    State = "state",
    /// The server.
    Server = "server",
    /// The time.
    Now = "now",
    /// One of a list.
    It = "it",
    /// Its place in the list, from 0.
    Index = "index",
}

/// A set of roots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roots(u32);

impl Roots {
    /// The set of these.
    #[must_use]
    pub const fn of(roots: &[Root]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < roots.len() {
            bits |= 1 << roots[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// Whether a root is in it.
    #[must_use]
    pub const fn contain(self, root: Root) -> bool {
        self.0 & (1 << root as u32) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn insert(&mut self, root: Root) {
        self.0 |= 1 << root as u32;
    }
}

/// The values that roots have at some moment.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    values: Vec<(Root, Cow<'a, Value>)>,
    /// Lists that were asked for by themselves.
    lists: Vec<(Wanted, Vec<Value>)>,
}

/// A list of a project's state: what has certain values.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The name of the list: a kind's plural.
    pub plural: String,
    /// Fields, by the names that the dialect has for them, and their values.
    pub equal: Vec<(String, Value)>,
}

impl<'a> Scope<'a> {
    /// A scope in which nothing has a value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a root a value that lives elsewhere.
    #[must_use]
    pub fn with(mut self, root: Root, value: &'a Value) -> Self {
        self.values.push((root, Cow::Borrowed(value)));
        self
    }

    /// Gives a root a value.
    #[must_use]
    pub fn with_owned(mut self, root: Root, value: Value) -> Self {
        self.values.push((root, Cow::Owned(value)));
        self
    }

    /// Gives a root a value, in place of the one that it has.
    pub fn set(&mut self, root: Root, value: Value) {
        self.values.retain(|(of, _)| *of != root);
        self.values.push((root, Cow::Owned(value)));
    }

    /// Gives what a list of the state has, however much of it the state itself has.
    pub fn set_list(&mut self, wanted: Wanted, items: Vec<Value>) {
        self.lists.retain(|(known, _)| *known != wanted);
        self.lists.push((wanted, items));
    }

    fn list(&self, wanted: &Wanted) -> Option<&Vec<Value>> {
        let found = self.lists.iter().find(|(known, _)| known == wanted);
        found.map(|(_, items)| items)
    }

    /// Whether a root has a value.
    #[must_use]
    pub fn has(&self, root: Root) -> bool {
        self.get(root).is_some()
    }

    fn get(&self, root: Root) -> Option<&Value> {
        let found = self.values.iter().rev().find(|(of, _)| *of == root);
        found.map(|(_, value)| value.as_ref())
    }
}

/// See the module's description.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Part);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(Value),
    Reference(Reference),
    Text(Vec<Piece>),
    Object {
        spread: Option<Box<Part>>,
        entries: Vec<(String, Part)>,
    },
    Array(Vec<Part>),
    List {
        source: Box<Part>,
        equal: Vec<(Vec<String>, Part)>,
        each: Option<Box<Part>>,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Reference(Reference),
}

/// `$a.b ?? $c ?? 'd'`
#[derive(Debug, Clone, PartialEq)]
struct Reference {
    paths: Vec<(Root, Vec<String>)>,
    otherwise: Option<Value>,
}

impl Template {
    /// Compiles a value of a file, which may refer to these roots.
    pub(super) fn read(node: &Node<'_>, allowed: Roots) -> Result<Self, DialectError> {
        Part::read(node, allowed).map(Self)
    }

    /// What it gives in a scope; nothing if what it refers to is not there.
    #[must_use]
    pub fn render(&self, scope: &Scope<'_>) -> Option<Value> {
        self.0.render(scope)
    }

    /// The same for one of a list, which is `$it`.
    #[must_use]
    pub fn render_it(&self, scope: &Scope<'_>, it: &Value) -> Option<Value> {
        self.0.render_it(scope, it)
    }

    /// Whether it gives something that counts as true.
    #[must_use]
    pub fn holds(&self, scope: &Scope<'_>) -> bool {
        match self.render(scope) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(_) => true,
        }
    }

    /// The lists of the state, with the values that they are to have in a scope.
    #[must_use]
    pub fn wanted_lists(&self, scope: &Scope<'_>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        self.0.each_list(&mut |source, equal| {
            wanted.extend(wanted_list(source, equal, scope));
        });
        wanted
    }

    /// Which key of `$it` gives a key of what it gives.
    pub(super) fn source_of(&self, key: &str) -> Option<String> {
        let Part::Object { spread, entries } = &self.0 else {
            return None;
        };
        let path = |part: &Part| match part {
            Part::Reference(reference) => reference.only_path(Root::It).cloned(),
            _ => None,
        };
        if let Some((_, part)) = entries.iter().find(|(name, _)| name == key) {
            return match path(part)?.as_slice() {
                [source] => Some(source.clone()),
                _ => None,
            };
        }
        let whole = path(spread.as_deref()?)?;
        whole.is_empty().then(|| key.to_owned())
    }

    /// The roots that it refers to.
    #[must_use]
    pub fn roots(&self) -> Roots {
        let mut roots = Roots::default();
        self.0.visit(&mut |reference| {
            for (root, _) in &reference.paths {
                roots.insert(*root);
            }
        });
        roots
    }
}

impl Part {
    fn read(node: &Node<'_>, allowed: Roots) -> Result<Self, DialectError> {
        if let Some(plain) = node.plain() {
            return match plain {
                Value::String(text) => Self::text(text, allowed).map_err(|why| node.error(why)),
                other => Ok(Self::Literal(other.clone())),
            };
        }
        if let Some(items) = node.list() {
            let items = items.iter().map(|item| Self::read(item, allowed));
            return Ok(Self::Array(items.collect::<Result<_, _>>()?));
        }
        if node.get(LIST).is_some() {
            return Self::list(node, allowed);
        }
        let (mut spread, mut entries) = (None, Vec::new());
        for (key, value) in node.entries()? {
            if key.name == SPREAD {
                spread = Some(Box::new(Self::read(value, allowed)?));
            } else if key.name.starts_with('$') {
                let known = [LIST, WHERE, EACH];
                let message = format!(
                    "{:?} stands beside {LIST} alone; there are {}",
                    key.name,
                    or(&known)
                );
                return Err(node.error_at(key, message));
            } else {
                entries.push((key.name.to_string(), Self::read(value, allowed)?));
            }
        }
        Ok(Self::Object { spread, entries })
    }

    fn list(node: &Node<'_>, allowed: Roots) -> Result<Self, DialectError> {
        node.only(&[LIST, WHERE, EACH])?;
        let source = node.get(LIST).map(|source| Self::read(source, allowed));
        let mut equal = Vec::new();
        if let Some(table) = node.get(WHERE) {
            for (key, value) in table.entries()? {
                let path = key.name.split('.').map(str::to_owned).collect();
                equal.push((path, Self::read(value, allowed)?));
            }
        }
        let of_it = allowed.and(Roots::of(&[Root::It]));
        let each = node.get(EACH).map(|each| Self::read(each, of_it));
        Ok(Self::List {
            source: Box::new(source.transpose()?.unwrap_or(Self::Literal(Value::Null))),
            equal,
            each: each.transpose()?.map(Box::new),
        })
    }

    fn text(text: &str, allowed: Roots) -> Result<Self, String> {
        if let Some(escaped) = text.strip_prefix("$$") {
            return Ok(Self::Literal(format!("${escaped}").into()));
        }
        if text == "$null" {
            return Ok(Self::Literal(Value::Null));
        }
        if text.starts_with('$') && !text.starts_with("${") {
            return Reference::read(text, allowed).map(Self::Reference);
        }
        if !text.contains("${") {
            return Ok(Self::Literal(text.into()));
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let (inside, behind) = after
                .split_once('}')
                .ok_or_else(|| format!("{text:?} lacks a closing }}"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let reference = Reference::read(&format!("${inside}"), allowed)?;
            pieces.push(Piece::Reference(reference));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self::Text(pieces))
    }

    fn render_it(&self, scope: &Scope<'_>, it: &Value) -> Option<Value> {
        let mut inner = Scope {
            values: Vec::with_capacity(scope.values.len() + 1),
            lists: scope.lists.clone(),
        };
        for (root, value) in &scope.values {
            inner = inner.with(*root, value);
        }
        self.render(&inner.with(Root::It, it))
    }

    fn render(&self, scope: &Scope<'_>) -> Option<Value> {
        Some(match self {
            Self::Literal(value) => value.clone(),
            Self::Reference(reference) => reference.render(scope)?,
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Reference(reference) => match reference.render(scope)? {
                            Value::String(piece) => text.push_str(&piece),
                            Value::Null => return None,
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                text.into()
            }
            Self::Object { spread, entries } => {
                let spread = spread.as_ref().and_then(|spread| spread.render(scope));
                let mut object = match spread {
                    Some(Value::Object(object)) => object,
                    _ => Map::new(),
                };
                for (key, value) in entries {
                    if let Some(value) = value.render(scope) {
                        object.insert(key.clone(), value);
                    }
                }
                object.into()
            }
            Self::Array(items) => items.iter().filter_map(|item| item.render(scope)).collect(),
            Self::List {
                source,
                equal,
                each,
            } => {
                let asked = wanted_list(source, equal, scope);
                if let Some(items) = asked.and_then(|wanted| scope.list(&wanted)) {
                    return Some(each_of(items.iter().cloned(), each.as_deref(), scope));
                }
                let Value::Array(items) = source.render(scope)? else {
                    return None;
                };
                let equal: Vec<_> = equal
                    .iter()
                    .map(|(path, wanted)| (path, wanted.render(scope)))
                    .collect();
                let fits = |item: &Value| {
                    equal.iter().all(|(path, wanted)| {
                        let found = walk(item, path);
                        wanted
                            .as_ref()
                            .is_some_and(|wanted| found.is_some_and(|found| is_same(found, wanted)))
                    })
                };
                each_of(items.into_iter().filter(fits), each.as_deref(), scope)
            }
        })
    }

    fn each_list(&self, see: &mut impl FnMut(&Self, &[(Vec<String>, Self)])) {
        match self {
            Self::Literal(_) | Self::Reference(_) | Self::Text(_) => {}
            Self::Object { spread, entries } => {
                let entries = entries.iter().map(|(_, entry)| entry);
                let parts = spread.as_deref().into_iter().chain(entries);
                parts.for_each(|part| part.each_list(see));
            }
            Self::Array(items) => items.iter().for_each(|item| item.each_list(see)),
            Self::List { source, equal, .. } => see(source, equal),
        }
    }

    fn visit(&self, see: &mut impl FnMut(&Reference)) {
        match self {
            Self::Literal(_) => {}
            Self::Reference(reference) => see(reference),
            Self::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Reference(reference) = piece {
                        see(reference);
                    }
                }
            }
            Self::Object { spread, entries } => {
                if let Some(spread) = spread {
                    spread.visit(see);
                }
                for (_, entry) in entries {
                    entry.visit(see);
                }
            }
            Self::Array(items) => items.iter().for_each(|item| item.visit(see)),
            Self::List {
                source,
                equal,
                each,
            } => {
                source.visit(see);
                for (_, wanted) in equal {
                    wanted.visit(see);
                }
                if let Some(each) = each {
                    each.visit(see);
                }
            }
        }
    }
}

/// The items of a list, each as it is to look.
fn each_of(items: impl Iterator<Item = Value>, each: Option<&Part>, scope: &Scope<'_>) -> Value {
    match each {
        None => items.collect(),
        Some(each) => items
            .filter_map(|item| each.render_it(scope, &item))
            .collect(),
    }
}

/// The list that is wanted, if it is one of the state, by values that there are.
fn wanted_list(source: &Part, equal: &[(Vec<String>, Part)], scope: &Scope<'_>) -> Option<Wanted> {
    let Part::Reference(reference) = source else {
        return None;
    };
    let [plural] = reference.only_path(Root::State)?.as_slice() else {
        return None;
    };
    let equal = equal.iter().map(|(path, wanted)| {
        let [field] = path.as_slice() else {
            return None;
        };
        Some((field.clone(), wanted.render(scope)?))
    });
    let equal = equal.collect::<Option<Vec<_>>>()?;
    (!equal.is_empty()).then(|| Wanted {
        plural: plural.clone(),
        equal,
    })
}

impl Reference {
    /// The path, if there is one only, and it begins with this root.
    fn only_path(&self, root: Root) -> Option<&Vec<String>> {
        match self.paths.as_slice() {
            [(of, path)] if *of == root && self.otherwise.is_none() => Some(path),
            _ => None,
        }
    }

    fn read(text: &str, allowed: Roots) -> Result<Self, String> {
        let (mut paths, mut otherwise) = (Vec::new(), None);
        for alternative in text.split("??").map(str::trim) {
            if otherwise.is_some() {
                return Err(format!("nothing can stand behind a value in {text:?}"));
            }
            match alternative.strip_prefix('$') {
                Some("null") => otherwise = Some(Value::Null),
                Some(path) => paths.push(path_of(path, allowed)?),
                None => otherwise = Some(value_of(alternative)?),
            }
        }
        Ok(Self { paths, otherwise })
    }

    fn render(&self, scope: &Scope<'_>) -> Option<Value> {
        let find = |(root, path): &(Root, Vec<String>)| {
            let value = walk(scope.get(*root)?, path)?;
            // What gives the time gives a text, and its milliseconds beside it.
            let plain = (*root == Root::Now && path.is_empty()).then(|| value.get("iso"));
            Some(plain.flatten().unwrap_or(value).clone())
        };
        let found = self.paths.iter().find_map(find);
        found.or_else(|| self.otherwise.clone())
    }
}

/// The root and the keys of `data.task.id`.
fn path_of(text: &str, allowed: Roots) -> Result<(Root, Vec<String>), String> {
    let mut words = text.split('.').map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let root = Root::ALL.iter().find(|root| root.as_str() == name);
    let known = || {
        let allowed = Root::ALL.iter().filter(|root| allowed.contain(**root));
        let names: Vec<String> = allowed.map(|root| format!("${}", root.as_str())).collect();
        or(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let Some(root) = root else {
        return Err(format!("there is no ${name}; write {}", known()));
    };
    if !allowed.contain(*root) {
        return Err(format!("${name} has no value here; write {}", known()));
    }
    let path: Vec<String> = words.collect();
    if path.iter().any(String::is_empty) {
        return Err(format!("${text} has an empty key"));
    }
    Ok((*root, path))
}

fn value_of(text: &str) -> Result<Value, String> {
    let quoted = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    match quoted {
        Some(text) => Ok(text.into()),
        None => serde_json::from_str(text)
            .map_err(|_| format!("{text:?} is neither a $reference, nor JSON, nor a text in '…'")),
    }
}

fn walk<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Object(object) => object.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Whether two values are the same, be an id a number or a text.
fn is_same(found: &Value, wanted: &Value) -> bool {
    let number = |value: &Value| value.as_number().map(ToString::to_string);
    found == wanted
        || matches!((found, wanted), (Value::Number(_), Value::String(text)) if number(found).as_ref() == Some(text))
        || matches!((found, wanted), (Value::String(text), Value::Number(_)) if number(wanted).as_ref() == Some(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::toml_node::Source;

    const ALL: Roots = Roots(u32::MAX);

    fn template(text: &str) -> Result<Template, DialectError> {
        let text = format!("at = {text}");
        let source = Source {
            file: "test",
            text: &text,
        };
        Template::read(source.read()?.get("at").unwrap(), ALL)
    }

    fn rendered(text: &str) -> Option<Value> {
        let data = json!({"task": {"id": "t1", "n": 5}, "list": [{"of": "a", "x": 1}, {"of": 7, "x": 2}], "empty": ""});
        let user = json!({"id": "ann", "name": null});
        let now = json!({"iso": "1970", "ms": 0});
        let scope = Scope::new()
            .with(Root::Data, &data)
            .with(Root::User, &user)
            .with(Root::Now, &now);
        template(text).unwrap().render(&scope)
    }

    #[test]
    fn references_give_values() {
        for (text, expected) in [
            ("'$data.task.id'", Some(json!("t1"))),
            ("'$data.list.1.x'", Some(json!(2))),
            ("'$data.none'", None),
            ("'$data.none ?? $user.id'", Some(json!("ann"))),
            ("\"$data.none ?? 'x y'\"", Some(json!("x y"))),
            ("'$data.none ?? [1]'", Some(json!([1]))),
            ("'$user.name ?? 1'", Some(json!(null))),
            ("'$null'", Some(json!(null))),
            ("'$$5'", Some(json!("$5"))),
            ("'plain'", Some(json!("plain"))),
            ("'a-${data.task.n}-b'", Some(json!("a-5-b"))),
            ("'a-${data.none}'", None),
            ("'$now'", Some(json!("1970"))),
            ("'$now.ms'", Some(json!(0))),
            ("7", Some(json!(7))),
        ] {
            assert_eq!(rendered(text), expected, "{text}");
        }
    }

    #[test]
    fn objects_and_lists_leave_out_what_is_not_there() {
        for (text, expected) in [
            (
                "{ a = '$data.task.id', b = '$data.none' }",
                json!({"a": "t1"}),
            ),
            (
                "{ '...' = '$data.task', n = 6 }",
                json!({"id": "t1", "n": 6}),
            ),
            ("['$data.none', 1]", json!([1])),
            (
                "{ '$list' = '$data.list', '$where' = { of = 'a' } }",
                json!([{"of": "a", "x": 1}]),
            ),
            (
                "{ '$list' = '$data.list', '$where' = { of = '7' }, '$each' = { y = '$it.x' } }",
                json!([{"y": 2}]),
            ),
        ] {
            assert_eq!(rendered(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("'$dat.x'", "there is no $dat; write $data"),
            ("'$data..x'", "empty key"),
            ("'$data ?? x'", "neither a $reference"),
            ("'$data ?? 1 ?? $user'", "nothing can stand behind"),
            ("'a${data'", "closing"),
            ("{ '$each' = 1 }", "stands beside $list"),
        ] {
            let error = template(text).unwrap_err();
            assert!(error.message.contains(expected), "{error}");
            assert_eq!(error.line, 1);
        }
        let node = "at = '$state.tasks'";
        let source = Source {
            file: "test",
            text: node,
        };
        let node = source.read().unwrap();
        let read = Template::read(node.get("at").unwrap(), Roots::of(&[Root::Data]));
        assert!(read.unwrap_err().message.contains("has no value here"));
    }
}
