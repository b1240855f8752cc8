//! What may be asked of one external: the bounds that stand at the component hold for the run, those that stand at a
//! test for one try of it.

use seam_launch::Bounds;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who decides on what is asked of an external.
pub(super) struct Access {
    /// The path of its own address, behind which operations begin.
    base: String,
    state: Mutex<State>,
}

struct State {
    run: Bounded,
    test: Option<Bounded>,
}

/// Bounds, and how often something was asked under them.
struct Bounded {
    whose: &'static str,
    bounds: Bounds,
    n_asked: u64,
}

impl Bounded {
    fn new(whose: &'static str, bounds: Bounds) -> Self {
        Self { whose, bounds, n_asked: 0 }
    }
}

impl Access {
    /// `base` is the path of the external's address, perhaps with a query.
    pub(super) fn new(base: &str, bounds: Bounds) -> Self {
        let base = base.split('?').next().unwrap_or_default().to_owned();
        Self { base, state: Mutex::new(State { run: Bounded::new("the run's", bounds), test: None }) }
    }

    /// From here on a test's own bounds hold as well, or no longer.
    pub(super) fn bound_test(&self, bounds: Option<Bounds>) {
        self.lock().test = bounds.map(|bounds| Bounded::new("the test's", bounds));
    }

    /// Counts a request that is to be passed on. The error says why it is not.
    pub(super) fn permit(&self, method: &str, path: &str) -> Result<(), String> {
        let mut state = self.lock();
        let State { run, test } = &mut *state;
        let all = || [Some(&*run), test.as_ref()].into_iter().flatten();
        let inside = path.strip_prefix(&self.base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if !all().all(|one| {
            one.bounds.operations.is_none() || inside.is_some_and(|inside| one.bounds.allow(method, inside))
        }) {
            return Err(format!("`{method} {path}` is none of its `operations`"));
        }
        if let Some((one, budget)) = all()
            .filter_map(|one| Some((one, one.bounds.budget?)))
            .find(|(one, budget)| one.n_asked >= *budget)
        {
            let requests = if budget == 1 { "request" } else { "requests" };
            return Err(format!("{} `budget` of {budget} {requests} is used up", one.whose));
        }
        run.n_asked += 1;
        if let Some(test) = test {
            test.n_asked += 1;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can leave what it guards half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(budget: u64) -> Bounds {
        Bounds { budget: Some(budget), ..Bounds::default() }
    }

    #[test]
    fn a_tests_budget_begins_anew_and_the_runs_goes_on() {
        let access = Access::new("/v1", budget(3));
        let ask = || access.permit("GET", "/v1/a").err();
        access.bound_test(Some(budget(2)));
        assert_eq!((ask(), ask()), (None, None));
        assert_eq!(ask().as_deref(), Some("the test's `budget` of 2 requests is used up"));
        access.bound_test(Some(budget(2)));
        assert_eq!(ask(), None);
        assert_eq!(ask().as_deref(), Some("the run's `budget` of 3 requests is used up"));
        access.bound_test(None);
        assert_eq!(ask().as_deref(), Some("the run's `budget` of 3 requests is used up"));
    }

    #[test]
    fn operations_begin_behind_the_externals_own_path() {
        let bounds = Bounds { operations: Some(Vec::new()), ..Bounds::default() };
        let access = Access::new("/v1?key=x", bounds);
        assert_eq!(access.permit("GET", "/v1/a").unwrap_err(), "`GET /v1/a` is none of its `operations`");
        let free = Access::new("/v1", Bounds::default());
        assert_eq!(free.permit("GET", "/elsewhere"), Ok(()));
    }
}
