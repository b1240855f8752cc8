//! What a reference in `seam.yaml` means: an address to dial (which declares a seam), a mention, or nothing.

use crate::plan::system::{Made, PlannedComponent, SystemPlan};
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::{Reference, Target};
use seam_wire::Protocol;
use std::collections::BTreeSet;

/// Properties of a component that no service brings.
const PROPERTIES: &[&str] = &["url", "address", "host", "port", "public", "dir"];

/// Properties that are no address to dial.
const MENTIONS: &[&str] = &["public", "dir", "user", "password", "database"];

/// Whom a reference reaches.
pub(crate) enum Reach {
    /// It is where to dial: a seam.
    Dials { component: String, endpoint: String, protocol: &'static dyn Protocol },
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
    match &reference.target {
        Target::Env(name) => {
            if reference.default.is_none() && plan.environment.get(name).is_none() {
                found.push(unset(name, reference));
            }
            Reach::Nobody
        }
        Target::Secret(name) => {
            // A secret without a value is told where it is declared.
            if reference.default.is_none() && !plan.declared_secrets.contains(name) {
                let known = plan.declared_secrets.iter().map(String::as_str);
                let title = format!("there is no secret `{name}`");
                found.push(Diagnostic::error(title).at(reference.span, "").suggest(name, known));
            }
            Reach::Nobody
        }
        Target::Own { endpoint, property } => {
            if let Some(component) = plan.components.get(owner) {
                is_there(component, owner, (endpoint.as_deref().unwrap_or(""), property), reference, found);
            }
            Reach::Nobody
        }
        Target::Component { component: name, endpoint, property } => {
            let Some(component) = plan.components.get(name) else {
                if !declared.contains(name.as_str()) && reference.default.is_none() {
                    let known = declared.iter().copied().chain(["self", "env", "secret"]);
                    let title = format!("there is no component `{name}`");
                    found.push(Diagnostic::error(title).at(reference.span, "").suggest(name, known));
                }
                return Reach::Nobody;
            };
            let endpoint = endpoint.clone().unwrap_or_default();
            if !is_there(component, name, (&endpoint, property), reference, found) || name == owner {
                return Reach::Nobody;
            }
            let component = name.clone();
            match plan.protocol_of(name, &endpoint) {
                Some(protocol) if !MENTIONS.contains(&property.as_str()) => {
                    Reach::Dials { component, endpoint, protocol }
                }
                // A page that names another's public address does not need it to be up.
                _ if property == "public" => Reach::Nobody,
                _ => Reach::Mentions { component },
            }
        }
    }
}

/// Is there such an endpoint with such a property? Tells what is not there.
fn is_there(
    component: &PlannedComponent,
    name: &str,
    (endpoint, property): (&str, &str),
    reference: &Reference,
    found: &mut Diagnostics,
) -> bool {
    let endpoints: Vec<&str> = component.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    if !endpoints.contains(&endpoint) {
        let title = format!("`{name}` has no endpoint `{endpoint}`");
        let named = endpoints.into_iter().filter(|endpoint| !endpoint.is_empty());
        found.push(Diagnostic::error(title).at(reference.span, "").suggest(endpoint, named));
        return false;
    }
    let mut known: Vec<&str> = match &component.made {
        Made::Service(service) => service.properties(endpoint).to_vec(),
        Made::Runtime(..) => PROPERTIES.to_vec(),
    };
    known.extend(["public", "dir"]);
    known.sort_unstable();
    known.dedup();
    if !known.contains(&property) {
        let title = format!("`{name}` has no property `{property}`");
        let databases = component.endpoints.iter().map(|endpoint| endpoint.name.as_str());
        let candidates = known.into_iter().chain(databases.filter(|name| !name.is_empty()));
        found.push(Diagnostic::error(title).at(reference.span, "").suggest(property, candidates));
        return false;
    }
    true
}

pub(crate) fn unset(name: &str, reference: &Reference) -> Diagnostic {
    Diagnostic::error(format!("the environment variable `{name}` is not set"))
        .at(reference.span, "")
        .hint(format!("set it in the environment or in `.env`, or give a default: `${{env.{name}:-…}}`"))
}
