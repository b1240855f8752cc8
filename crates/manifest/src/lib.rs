//! The user's YAML files to the model, with places; every mistake in them at once.
//!
//! Text becomes [nodes](seam_model::Node), nodes become a [`System`](seam_model::System) or a
//! [`TestFile`](seam_model::TestFile). Which kinds of step, component and service there are comes in as a
//! [`Vocabulary`]: this crate knows none of them by name, and hands what belongs to a kind to that kind unread.
#![forbid(unsafe_code)]

mod load;
mod names;
mod near;
mod parts;
mod paths;
mod project;
mod reference;
mod schema;
mod step;
mod system;
mod test_file;
mod unknown;
mod vocabulary;
mod yaml;

pub use load::{MAX_FILE, from_bytes, load};
pub use parts::PARTS;
pub use project::{
    Project, ProjectError, SYSTEM_FILE, TEST_FILE_END, find_project, find_project_from, shown,
};
pub use reference::{explain, explain_field, markdown, shape_text};
pub use schema::{system_schema, tests_schema};
pub use step::STEP_KEYS;
pub use system::{COMPONENT_KEYS, SYSTEM_KEYS, read_system};
pub use test_file::{FIXTURE_KEYS, FLOW_KEYS, TEST_FILE_KEYS, TEST_KEYS, TestFiles};
pub use vocabulary::Vocabulary;
pub use yaml::parse;
