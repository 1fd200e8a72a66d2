//! No file uses one that uses it, by whatever detour.
//!
//! A file may use what its own parent module defines: the two are one module. Re-exports count as the file that they
//! lead to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path};

use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemUse, Meta, UseTree};

/// Files that use one another, and why that is well.
const CIRCLES: [(&[&str], &str); 1] = [(
    &[
        "transport/connection/close.rs",
        "transport/connection/door.rs",
        "transport/connection/obey.rs",
        "transport/connection/request_loop.rs",
        "transport/connection/subscriber.rs",
    ],
    "a door serves a message with the request loop of its connection, by the rules of its dialect; both are generic over the door",
)];

/// A module's path from the root, and a path as code spells it.
type Segments = Vec<String>;

#[test]
fn files_depend_on_one_another_one_way() {
    let sources = super::sources("src");
    let modules = Modules::read(&sources);
    let circles = modules.circles();
    let allowed: BTreeSet<BTreeSet<&str>> = CIRCLES
        .iter()
        .map(|(files, _)| files.iter().copied().collect())
        .collect();
    let found: BTreeSet<BTreeSet<&str>> = circles
        .iter()
        .map(|circle| circle.keys().copied().collect())
        .collect();
    let new: Vec<_> = circles
        .iter()
        .filter(|circle| !allowed.contains(&circle.keys().copied().collect()))
        .collect();
    assert!(new.is_empty(), "files that use one another: {new:#?}");
    assert_eq!(found, allowed, "a circle that is no more has no reason");
}

/// What the code of one file names.
#[derive(Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    defines: BTreeSet<String>,
    imports: HashMap<String, Segments>,
    uses: BTreeSet<Segments>,
}

struct Modules(BTreeMap<Segments, Module>);

impl Modules {
    fn read(sources: &[(std::path::PathBuf, String)]) -> Self {
        let code = sources
            .iter()
            .filter(|(path, _)| path != Path::new("main.rs"));
        Self(
            code.map(|(path, code)| (module_path(path), Module::read(path, code)))
                .collect(),
        )
    }

    /// The module whose file defines what `module` names by `path`; none for what another crate defines.
    fn definer(&self, module: &Segments, path: &[String]) -> Option<&Segments> {
        let (first, mut rest) = path.split_first()?;
        let here = &self.0[module];
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => {
                let above = rest.iter().take_while(|each| *each == "super").count();
                rest = &rest[above..];
                module[..module.len().checked_sub(1 + above)?].to_vec()
            }
            _ if here.children.contains(first) => {
                [&module[..], std::slice::from_ref(first)].concat()
            }
            _ => {
                let import = here
                    .imports
                    .get(first)
                    .filter(|import| !path.starts_with(import))?;
                return self.definer(module, &[&import[..], rest].concat());
            }
        };
        while let [next, more @ ..] = rest {
            at.push(next.clone());
            if !self.0.contains_key(&at) {
                at.pop();
                break;
            }
            rest = more;
        }
        let (name, found) = self.0.get_key_value(&at)?;
        let elsewhere = rest
            .first()
            .filter(|item| !found.defines.contains(*item) && found.imports.contains_key(*item));
        elsewhere
            .and_then(|_| self.definer(name, rest))
            .or(Some(name))
    }

    /// Each file with the files that it uses.
    fn graph(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let used = |name: &Segments, module: &Module| {
            let definers = module
                .uses
                .iter()
                .filter_map(|path| self.definer(name, path));
            definers
                .filter(|definer| !name.starts_with(definer))
                .map(|definer| self.0[definer].file.as_str())
                .collect()
        };
        self.0
            .iter()
            .map(|(name, module)| (module.file.as_str(), used(name, module)))
            .collect()
    }

    /// The groups of files that reach one another, each file with those of its group that it uses.
    fn circles(&self) -> Vec<BTreeMap<&str, Vec<&str>>> {
        let graph = self.graph();
        let reached: BTreeMap<_, _> = graph
            .keys()
            .map(|file| (*file, reach(&graph, file)))
            .collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for (file, others) in &reached {
            let circle: BTreeSet<&str> = others
                .iter()
                .copied()
                .filter(|other| reached[other].contains(file))
                .collect();
            if !circle.is_empty() && seen.insert(circle.clone()) {
                let within = |file: &&str| graph[file].intersection(&circle).copied().collect();
                circles.push(circle.iter().map(|file| (*file, within(file))).collect());
            }
        }
        circles
    }
}

/// The files that `file` uses, those that they use, and so on.
fn reach<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = graph[file].iter().copied().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(&graph[file]);
        }
    }
    reached
}

fn module_path(file: &Path) -> Segments {
    let path = file.with_extension("");
    let name = |part: Component<'_>| part.as_os_str().to_str().unwrap().to_owned();
    let all: Segments = path.components().map(name).collect();
    if all == ["lib"] { Vec::new() } else { all }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

impl Module {
    fn read(path: &Path, code: &str) -> Self {
        let mut module = Self {
            file: path.to_str().unwrap().to_owned(),
            ..Self::default()
        };
        let file = syn::parse_file(code).unwrap();
        if !is_for_tests(&file.attrs) {
            module.visit_file(&file);
        }
        module
    }

    fn import(&mut self, before: &[String], tree: &UseTree) {
        let after = |ident: &Ident| [before, &[ident.to_string()]].concat();
        let mut named = |name: String, path: Segments| {
            self.uses.insert(path.clone());
            self.imports.insert(name, path);
        };
        match tree {
            UseTree::Path(path) => self.import(&after(&path.ident), &path.tree),
            UseTree::Name(name) if name.ident == "self" => {
                named(before.last().unwrap().clone(), before.to_vec());
            }
            UseTree::Name(name) => named(name.ident.to_string(), after(&name.ident)),
            UseTree::Rename(rename) => named(rename.rename.to_string(), after(&rename.ident)),
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.import(before, tree)),
            UseTree::Glob(_) => {
                self.uses.insert(before.to_vec());
            }
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Mod(item) => (&item.attrs, None),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Use(item) => (&item.attrs, None),
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        self.defines.extend(name.map(ToString::to_string));
        match item {
            Item::Mod(module) if module.content.is_none() => {
                self.children.insert(module.ident.to_string());
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.uses.insert(
                path.segments
                    .iter()
                    .map(|each| each.ident.to_string())
                    .collect(),
            );
        }
        visit::visit_path(self, path);
    }
}
