//! What a reference in `seam.yaml` means: an address to dial (which declares a seam), a mention, or nothing.

use crate::plan::system::{Made, PlannedComponent, SystemPlan};
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::Reference;
use seam_wire::Protocol;
use std::collections::BTreeSet;

/// Properties of a component that no service brings.
const PROPERTIES: &[&str] = &["url", "address", "host", "port", "public", "dir"];

/// Properties that are no address to dial.
const MENTIONS: &[&str] = &["public", "dir", "user", "password", "database"];

/// Whom a reference reaches.
pub(crate) enum Reach {
    /// It is where to dial: a seam.
    Dials {
        component: String,
        endpoint: String,
        protocol: &'static dyn Protocol,
    },
    /// It names a component that must be known first.
    Mentions { component: String },
    /// It is about the component itself, the environment or a secret; or it is told as a mistake.
    Nobody,
}

/// Resolves one reference of a component.
pub(crate) fn reach(
    plan: &SystemPlan,
    owner: &str,
    reference: &Reference,
    declared: &BTreeSet<&str>,
    found: &mut Diagnostics,
) -> Reach {
    let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["env", name] => {
            if reference.default.is_none() && plan.environment.get(name).is_none() {
                found.push(unset(name, reference));
            }
            Reach::Nobody
        }
        ["secret" | "secrets", name] => {
            // A secret without a value is told where it is declared.
            if reference.default.is_none() && !plan.secrets.contains_key(*name) {
                let known = plan.secrets.keys().map(String::as_str);
                let title = format!("there is no secret `{name}`");
                found.push(Diagnostic::error(title).at(reference.span, "").suggest(name, known));
            }
            Reach::Nobody
        }
        ["self", rest @ ..] => {
            if let Some(component) = plan.components.get(owner) {
                property(component, owner, rest, reference, found);
            }
            Reach::Nobody
        }
        [name, rest @ ..] => {
            let Some(component) = plan.components.get(*name) else {
                if !declared.contains(name) && reference.default.is_none() {
                    let known = declared.iter().copied().chain(["self", "env", "secret"]);
                    let title = format!("there is no component `{name}`");
                    found.push(Diagnostic::error(title).at(reference.span, "").suggest(name, known));
                }
                return Reach::Nobody;
            };
            let Some((endpoint, property)) = property(component, name, rest, reference, found) else {
                return Reach::Nobody;
            };
            let component = (*name).to_owned();
            match plan.protocol_of(name, &endpoint) {
                _ if name == &owner => Reach::Nobody,
                Some(protocol) if !MENTIONS.contains(&property.as_str()) => {
                    Reach::Dials { component, endpoint, protocol }
                }
                // A page that names another's public address does not need it to be up.
                _ if property == "public" => Reach::Nobody,
                _ => Reach::Mentions { component },
            }
        }
        [] => Reach::Nobody,
    }
}

/// The endpoint and the property that the rest of a path names; tells what is not there.
fn property(
    component: &PlannedComponent,
    name: &str,
    rest: &[&str],
    reference: &Reference,
    found: &mut Diagnostics,
) -> Option<(String, String)> {
    let (endpoint, property) = match rest {
        [property] => ("", *property),
        [endpoint, property] => (*endpoint, *property),
        _ => {
            let title = format!("a reference to `{name}` needs a property");
            found.push(Diagnostic::error(title).at(reference.span, "").hint(format!("such as `${{{name}.url}}`")));
            return None;
        }
    };
    let endpoints: Vec<&str> = component.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    if !endpoints.contains(&endpoint) {
        let title = format!("`{name}` has no endpoint `{endpoint}`");
        let named = endpoints.into_iter().filter(|endpoint| !endpoint.is_empty());
        found.push(Diagnostic::error(title).at(reference.span, "").suggest(endpoint, named));
        return None;
    }
    let mut known: Vec<&str> = match &component.made {
        Made::Service(service) => service.properties(endpoint).to_vec(),
        Made::Runtime(..) => PROPERTIES.to_vec(),
    };
    known.extend(["public", "dir"]);
    if !known.contains(&property) {
        let title = format!("`{name}` has no property `{property}`");
        let databases = component.endpoints.iter().map(|endpoint| endpoint.name.as_str());
        let candidates = known.into_iter().chain(databases.filter(|name| !name.is_empty()));
        found.push(Diagnostic::error(title).at(reference.span, "").suggest(property, candidates));
        return None;
    }
    Some((endpoint.to_owned(), property.to_owned()))
}

fn unset(name: &str, reference: &Reference) -> Diagnostic {
    Diagnostic::error(format!("the environment variable `{name}` is not set"))
        .at(reference.span, "")
        .hint(format!("set it in the environment or in `.env`, or give a default: `${{env.{name}:-…}}`"))
}
