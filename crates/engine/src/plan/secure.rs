//! What a component says of TLS where it listens, and the files that describe its messages.

use crate::plan::system::EndpointPlan;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::ReferenceText;
use seam_launch::parse_external;
use seam_model::{Component, Fields, NodeKind, Spanned};
use seam_wire::grpc::Descriptors;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a component listens with TLS.
#[derive(Default)]
pub(crate) struct PlannedTls {
    /// The file with the authorities that its certificate is judged by.
    pub(crate) ca: Option<ReferenceText>,
    /// What its certificate is for.
    pub(crate) name: Option<String>,
    /// Its own certificate and key, for consumers to be shown.
    pub(crate) presented: Option<(ReferenceText, ReferenceText)>,
    /// What it is shown.
    pub(crate) client: Option<(ReferenceText, ReferenceText)>,
    /// On which endpoints; all where nothing is said.
    endpoints: Option<Vec<String>>,
    /// Where that stands.
    pub(crate) span: Option<Span>,
}

impl PlannedTls {
    /// Has this endpoint TLS?
    pub(crate) fn is_of(&self, endpoint: &str) -> bool {
        self.endpoints.as_ref().is_none_or(|endpoints| endpoints.iter().any(|name| name == endpoint))
    }

    /// All texts in which references may stand.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &ReferenceText> {
        let pairs =
            self.presented.iter().chain(&self.client).flat_map(|(certificate, key)| [certificate, key]);
        self.ca.iter().chain(pairs)
    }

    /// Reads `tls` of a component; none where it has none.
    pub(crate) fn read(
        component: &Component,
        endpoints: &[EndpointPlan],
        found: &mut Diagnostics,
    ) -> Option<Self> {
        let node = component.tls.as_ref()?;
        let name = &component.name.value;
        if let NodeKind::Bool(is_on) = node.kind {
            check_use(component, node.span, found);
            return is_on.then(|| Self { span: Some(node.span), ..Self::default() });
        }
        if node.as_map().is_none() {
            let title = format!("`tls` of `{name}` must be true, false or a map");
            found.push(Diagnostic::error(title).at(node.span, format!("this is {}", node.kind_name())));
            return None;
        }
        check_use(component, node.span, found);
        let mut fields = Fields::of(node, format!("`tls` of `{name}`"), found);
        let ca = fields.take("ca").map(|node| ReferenceText::read(node, found));
        let certificate_name = fields.text("name", found).map(|name| name.value);
        let presented = read_pair(&mut fields, found);
        let client = fields.take("client").and_then(|node| {
            let mut fields = Fields::of(node, format!("`client` of `tls` of `{name}`"), found);
            fields.require("certificate", found);
            fields.require("key", found);
            let pair = read_pair(&mut Fields::of(node, "`client`", &mut Diagnostics::default()), found);
            fields.finish(found);
            pair
        });
        let of = fields.take("endpoints").is_some().then(|| fields.texts("endpoints", found));
        for name in of.iter().flatten() {
            if !endpoints.iter().any(|endpoint| endpoint.name == name.value) {
                let names = endpoints.iter().map(|endpoint| endpoint.name.as_str());
                let title = format!("`{}` has no endpoint `{}`", component.name.value, name.value);
                found.push(Diagnostic::error(title).at(name.span, "").suggest(&name.value, names));
            }
        }
        fields.finish(found);
        let endpoints = of.map(|names| names.into_iter().map(|name| name.value).collect());
        Some(Self { ca, name: certificate_name, presented, client, endpoints, span: Some(node.span) })
    }
}

/// `certificate` with `key`; one alone is told.
fn read_pair(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<(ReferenceText, ReferenceText)> {
    match (fields.take("certificate"), fields.take("key")) {
        (Some(certificate), Some(key)) => {
            Some((ReferenceText::read(certificate, found), ReferenceText::read(key, found)))
        }
        (Some(one), None) | (None, Some(one)) => {
            let title = "a certificate is of use only together with its key";
            found.push(Diagnostic::error(title).at(one.span, "").hint("write both `certificate` and `key`"));
            None
        }
        (None, None) => None,
    }
}

/// Tells where `tls` is of no use.
fn check_use(component: &Component, span: Span, found: &mut Diagnostics) {
    let address = component.subject.as_text().and_then(|text| parse_external(text).ok());
    let why = match component.origin.value.as_str() {
        "service" => "Seamwork reaches its own services without it",
        "external" if address.as_ref().is_some_and(|address| address.tls) => {
            "its address says so already; `ca` stands beside `external`"
        }
        "external" if address.is_some_and(|address| address.speaks_http()) => {
            "write `https://` in its address"
        }
        _ => return,
    };
    found.push(Diagnostic::error(format!("`tls` of `{}` is of no use", component.name.value)).at(span, why));
}

/// Reads the files that describe a component's messages.
pub(crate) fn read_descriptors(
    component: &Component,
    root: &Path,
    endpoints: &[EndpointPlan],
    found: &mut Diagnostics,
) -> Option<Arc<Descriptors>> {
    let first = component.descriptors.first()?;
    if !endpoints.iter().any(|endpoint| endpoint.protocol.name() == "grpc") {
        let title = format!("`descriptors` of `{}` are of no use", component.name.value);
        found.push(Diagnostic::error(title).at(first.span, "none of its endpoints is `grpc`"));
        return None;
    }
    let read = match component.descriptors.as_slice() {
        [set] if !is_source(set) => std::fs::read(root.join(&set.value))
            .map_err(|error| (set.span, error.to_string()))
            .and_then(|bytes| Descriptors::from_set(&bytes).map_err(|error| (set.span, error.to_string()))),
        files => from_sources(files, root),
    };
    match read {
        Ok(descriptors) => Some(Arc::new(descriptors)),
        Err((span, reason)) => {
            let title = format!("the descriptors of `{}` can't be read", component.name.value);
            found.push(Diagnostic::error(title).at(span, reason));
            None
        }
    }
}

fn is_source(file: &Spanned<String>) -> bool {
    Path::new(&file.value).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("proto"))
}

/// Compiles `.proto` files. What they import is looked for in their folders, and from the project's.
fn from_sources(files: &[Spanned<String>], root: &Path) -> Result<Descriptors, (Span, String)> {
    if let Some(set) = files.iter().find(|file| !is_source(file)) {
        return Err((set.span, "beside `.proto` files, or another set, none can be read".to_owned()));
    }
    let mut folders = vec![root.to_owned()];
    let mut named: Vec<(String, PathBuf)> = Vec::new();
    let mut known = HashSet::new();
    for file in files {
        let path = root.join(&file.value);
        std::fs::metadata(&path).map_err(|error| (file.span, error.to_string()))?;
        folders.extend(path.ancestors().skip(1).take_while(|folder| *folder != root).map(Path::to_owned));
        if !known.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            continue;
        }
        // The first has the name that imports have for it; another one behind it has one that none has.
        let name = name_of(&file.value);
        let names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{n}/{name}")));
        let is_free = |name: &String| named.iter().all(|(other, _)| other != name);
        let name = names.into_iter().find(is_free).expect("there are more numbers than files");
        named.push((name, path));
    }
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let read = move |name: &str| {
        // What was named is this file, whatever else lies under its name elsewhere.
        let own = named.iter().filter(|(own, _)| own == name).map(|(_, path)| path.clone());
        let paths = own.chain(folders.iter().map(|folder| folder.join(name)));
        paths.into_iter().find_map(|path| std::fs::read_to_string(path).ok())
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Descriptors::from_protos(&names, read).map_err(|error| (files[0].span, error.to_string()))
}

/// The name of a file as an import would have it: without the way up to where it lies, which names can't have.
fn name_of(path: &str) -> String {
    use std::path::Component::{CurDir, ParentDir, Prefix, RootDir};
    let leads_up = |part: &std::path::Component<'_>| matches!(part, CurDir | ParentDir | Prefix(_) | RootDir);
    let rest: PathBuf = Path::new(path).components().skip_while(leads_up).collect();
    rest.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::FileId;

    #[test]
    fn descriptions_lie_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("shop/protos/a.proto", "syntax = \"proto3\"; package own; service Own {}");
        write("protos/b.proto", "syntax = \"proto3\"; package common; message B {}");
        write(
            "protos/a.proto",
            "syntax = \"proto3\"; package common; import \"protos/b.proto\"; service S { rpc M(B) returns (B); }",
        );
        let root = folder.path().join("shop");
        let absolute = folder.path().join("protos/a.proto").to_string_lossy().into_owned();
        for (path, expect) in
            [("protos/a.proto", 0), ("./protos/a.proto", 0), ("../protos/a.proto", 1), (absolute.as_str(), 1)]
        {
            let described = from_sources(&[Spanned::new(path.to_owned(), Span::at_start(FileId(0)))], &root);
            let described = described.unwrap_or_else(|(_, reason)| panic!("{path}: {reason}"));
            assert_eq!(described.methods().len(), expect, "{path}");
        }
        // Two files of one name are two, and one that is named twice is one.
        write("a.proto", "syntax = \"proto3\"; package up; message A {} service S { rpc M(A) returns (A); }");
        write(
            "shop/a.proto",
            "syntax = \"proto3\"; package here; message A {} service S { rpc M(A) returns (A); }",
        );
        let absolute = root.join("a.proto").to_string_lossy().into_owned();
        for (paths, expect) in [
            (["a.proto", "../a.proto"], &["here.S/M", "up.S/M"][..]),
            (["../a.proto", "a.proto"], &["here.S/M", "up.S/M"]),
            (["a.proto", &absolute], &["here.S/M"]),
            (["./a.proto", "a.proto"], &["here.S/M"]),
        ] {
            let files = paths.map(|path| Spanned::new(path.to_owned(), Span::at_start(FileId(0))));
            let described = from_sources(&files, &root);
            let described = described.unwrap_or_else(|(_, reason)| panic!("{paths:?}: {reason}"));
            let mut methods = described.methods();
            methods.sort();
            assert_eq!(methods, expect, "{paths:?}");
        }
    }
}
