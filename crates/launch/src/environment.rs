//! What every component finds in its environment besides what `env` names: nothing else leaks in.

use std::path::Path;

/// Taken over from our own environment, where they are set.
const TAKEN_OVER: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// PATH, HOME, LANG and TZ as we have them, and TMPDIR, a folder of the run's own, so that what a component leaves
/// there goes with the run. A variable that is no UTF-8 is left out.
pub fn base_environment(temporary: &Path) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = TAKEN_OVER
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    env.push(("TMPDIR".to_owned(), temporary.display().to_string()));
    env
}

/// One environment over another: what stands in `own` counts.
pub fn laid_over(base: Vec<(String, String)>, own: &[(String, String)]) -> Vec<(String, String)> {
    let mut env = base;
    env.retain(|(name, _)| own.iter().all(|(own, _)| own != name));
    env.extend_from_slice(own);
    env
}

/// The PATH in an environment; empty where it has none.
pub(crate) fn path_of(env: &[(String, String)]) -> &str {
    env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_variables_count() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env =
            laid_over(vec![pair("A", "1"), pair("PATH", "/bin")], &[pair("PATH", "/own"), pair("B", "2")]);
        assert_eq!(env, [pair("A", "1"), pair("PATH", "/own"), pair("B", "2")]);
        assert_eq!(path_of(&env), "/own");
    }

    #[test]
    fn nothing_else_leaks_in() {
        let names: Vec<String> =
            base_environment(Path::new("/run/tmp")).into_iter().map(|pair| pair.0).collect();
        assert!(
            names.iter().all(|name| TAKEN_OVER.contains(&name.as_str()) || name == "TMPDIR"),
            "{names:?}"
        );
        assert!(names.contains(&"TMPDIR".to_owned()));
    }
}
