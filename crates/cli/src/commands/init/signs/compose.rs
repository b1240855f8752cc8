//! Compose files: services whose images are in our catalogue, and what programs of the user's are given.

use super::read;
use crate::commands::init::guess::{Composed, Guesses};
use seam_diag::{Diagnostics, Sources};
use seam_model::Node;
use std::path::Path;

/// Images by the last part of their names, and which of the catalogue they are.
const IMAGES: &[(&[&str], &str)] = &[
    (&["postgres", "postgresql", "postgis", "pgvector", "timescaledb"], "postgres"),
    (&["redis", "valkey", "redis-stack", "redis-stack-server"], "redis"),
    (&["mailhog", "mailpit", "maildev", "mailcatcher", "smtp4dev"], "mailbox"),
    (&["rabbitmq"], "rabbitmq"),
    (&["mysql"], "mysql"),
    (&["mariadb"], "mariadb"),
    (&["kafka", "cp-kafka"], "kafka"),
    (&["nats"], "nats"),
    (&["minio"], "s3"),
];

pub(in super::super) fn look(file: &Path, guesses: &mut Guesses) {
    let Some(text) = read(file) else { return };
    let why = guesses.shown(file);
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let id = sources.add(file, text.as_str());
    let Some(whole) = seam_manifest::parse(id, &text, &mut found) else {
        guesses.aside.push(format!("{why}: it has anchors, tags or something else that is not read here"));
        return;
    };
    let folder = file.parent().unwrap_or(file);
    for entry in whole.get("services").and_then(Node::as_map).unwrap_or_default() {
        let (name, service) = (entry.key.value.as_str(), &entry.node);
        let env = environment(service);
        let image = service.get("image").and_then(Node::as_text);
        match (service.get("build"), image) {
            (Some(build), _) => {
                let context =
                    build.as_text().or_else(|| build.get("context").and_then(Node::as_text)).unwrap_or(".");
                let folder = folder.join(context.trim_start_matches("./").trim_start_matches('.'));
                // The path is compared with others, so that no separator may stand at its end.
                let folder = folder.components().collect();
                let said = ["command", "entrypoint"].map(|name| service.get(name));
                let run = said[0].filter(|_| said[1].is_none()).and_then(command);
                let is_unclear = run.is_none() && said.iter().any(Option::is_some);
                let why = format!("{why}: {name}");
                guesses.composed.push(Composed { name: name.to_owned(), folder, env, run, is_unclear, why });
            }
            (None, Some(image)) => {
                let product = product(image);
                match IMAGES.iter().find(|(images, _)| images.contains(&product)) {
                    Some((_, kind)) => {
                        let database = env
                            .iter()
                            .find(|(name, _)| name == "POSTGRES_DB")
                            .map(|(_, value)| value.clone());
                        guesses.service(kind, name, database, &format!("{why}: {name}"));
                        let seeds = seeds(service, folder, guesses);
                        guesses.seed(kind, &seeds);
                    }
                    None => guesses
                        .aside
                        .push(format!("{why}: {name}, an image that is not in the catalogue ({image})")),
                }
            }
            (None, None) => {}
        }
    }
}

/// The files that the image of a database reads when it begins: `./db/init.sql:/docker-entrypoint-initdb.d/init.sql`.
fn seeds(service: &Node, folder: &Path, guesses: &Guesses) -> Vec<String> {
    let volumes = service.get("volumes").and_then(Node::as_list).unwrap_or_default();
    let sources = volumes.iter().filter_map(Node::as_text).filter_map(|volume| {
        let (source, target) = volume.split_once(':')?;
        target
            .starts_with("/docker-entrypoint-initdb.d")
            .then(|| folder.join(source.trim_start_matches("./")))
    });
    let mut files = Vec::new();
    for source in sources {
        let inside = std::fs::read_dir(&source).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<_> = if source.is_dir() { inside.collect() } else { vec![source.clone()] };
        found.retain(|file| file.extension().is_some_and(|extension| extension == "sql") && file.is_file());
        found.sort();
        files.extend(found.iter().map(|file| guesses.relative(file)));
    }
    files
}

/// What is started, as one line; none where Compose would put something into it.
fn command(node: &Node) -> Option<String> {
    let line = match node.as_list() {
        None => node.as_text()?.to_owned(),
        Some(words) => {
            let quoted =
                |word: &str| if word.contains([' ', '"']) { format!("'{word}'") } else { word.to_owned() };
            let plain = |word: &String| !word.is_empty() && !word.contains('\'');
            let words = words.iter().map(|word| Some(quoted(&word.scalar_text().filter(plain)?)));
            words.collect::<Option<Vec<_>>>()?.join(" ")
        }
    };
    (!line.is_empty() && !line.contains('$')).then_some(line)
}

/// `bitnami/postgresql:16` is `postgresql`.
fn product(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or(image);
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split(':').next().unwrap_or(last)
}

/// Both forms: a map, and a list of `NAME=value`.
fn environment(service: &Node) -> Vec<(String, String)> {
    let Some(node) = service.get("environment") else { return Vec::new() };
    let map = node.as_map().unwrap_or_default().iter();
    let map = map.map(|entry| (entry.key.value.clone(), entry.node.scalar_text().unwrap_or_default()));
    let list = node.as_list().unwrap_or_default().iter().filter_map(Node::as_text).filter_map(|text| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    map.chain(list).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_last_part() {
        for (image, expect) in [
            ("postgres", "postgres"),
            ("postgres:16-alpine", "postgres"),
            ("registry.example:5000/team/redis:7@sha256:abc", "redis"),
        ] {
            assert_eq!(product(image), expect);
        }
    }
}
