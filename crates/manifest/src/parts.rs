//! The parts of the two kinds of file as words, for `seam explain` and the reference.

use crate::step::STEP_KEYS;
use crate::system::{COMPONENT_KEYS, SYSTEM_KEYS};
use crate::test_file::{FIXTURE_KEYS, FLOW_KEYS, TEST_FILE_KEYS, TEST_KEYS};
use seam_model::{Shape, Word};

/// What the files are made of, from the outside in. Kinds of step, component and so on are in tables of their own.
pub static PARTS: &[&Word] = &[&SYSTEM, &COMPONENT, &TEST_FILE, &TEST, &STEP, &FIXTURE, &FLOW];

static SYSTEM: Word = Word {
    subject: Shape::Text,
    text: "`seam.yaml` says which components there are, and how each reaches the others. A component that mentions \
           another one's address in its `env` or `files` has a seam to it: seams are not written down, they are read off.\n\n\
           `${…}` here are references: `${component.url}`, `${component.database.url}`, `${self.address}`, `${env.NAME}`, \
           `${secret.NAME}`, each with `:-default` where need be; `$$` is a dollar. Paths are relative to the folder of \
           `seam.yaml`.",
    fields: SYSTEM_KEYS,
    example: "system: shop\ncomponents:\n  db: { service: postgres, databases: { shop: {} } }\n  web:\n    run: ./web\n    env:\n      \
              LISTEN: ${self.address}\n      DATABASE_URL: ${db.shop.url}\n    ready: GET /health\n",
    ..Word::new("system", "what `seam.yaml` says: the components of a system, and what must hold in it")
};

static COMPONENT: Word = Word {
    subject: Shape::Nothing,
    text: "A component is made by exactly one key, its origin (`run`, `service`, `external` and so on), which brings settings \
           of its own. All components have the fields below. A component starts when those whose addresses it mentions are \
           ready; those without mutual need start together.",
    fields: COMPONENT_KEYS,
    example: "system: shop\ncomponents:\n  web:\n    run: ./web --verbose\n    env: { LISTEN: \"${self.address}\" }\n    \
              ready: GET /health\n  second: { like: web, env: { NAME: second } }\n",
    ..Word::new("component", "one part of the system: a process, a service, somebody else's program")
};

static TEST_FILE: Word = Word {
    subject: Shape::Nothing,
    text: "A file whose name ends with `.seam.yaml`, in the project's folder `tests` or named on the command line.",
    fields: TEST_FILE_KEYS,
    example: "vars: { isbn: \"978-0\" }\ntests:\n  - name: The book is there\n    steps:\n      \
              - { http: GET web/books/$isbn, expect: { status: 200 } }\n",
    ..Word::new("file", "what a `*.seam.yaml` file says: tests, and the fixtures and flows that they use")
};

static TEST: Word = Word {
    subject: Shape::Nothing,
    text: "Its steps are done in order; the first that fails ends it, unless it is `soft`. Each test starts from the state that \
           was kept when the system was ready, whatever ran before it. A test that checks nothing is inconclusive.",
    fields: TEST_KEYS,
    example: "tests:\n  - name: Limits of the quantity\n    each:\n      - { case: none, quantity: 0, status: 422 }\n      \
              - { case: most, quantity: 10, status: 201 }\n    steps:\n      - http: POST web/orders\n        \
              json: { quantity: $quantity }\n        expect: { status: $status }\n",
    ..Word::new("test", "a named story: steps, what they need, and what must hold")
};

static STEP: Word = Word {
    subject: Shape::Nothing,
    text: "A step has exactly one action, such as `http` or `sql`, with inputs of its own. Every step has the fields below. All \
           expectations of a step are always judged. A plain value means equal, type included; a map means matchers.\n\n\
           `within` repeats only what reads: for other steps `repeatable: true` says that it may. `timeout` is one try's, \
           `within` all tries' together.",
    fields: STEP_KEYS,
    example: "tests:\n  - name: The order arrives\n    steps:\n      - http: GET web/orders/1\n        within: 5s\n        \
              expect: { status: 200, body.state: paid }\n        save: { order: body.id }\n",
    ..Word::new("step", "one action with its inputs, what to expect of it, and what to save")
};

static FIXTURE: Word = Word {
    subject: Shape::Nothing,
    text: "A fixture is set up before the test that needs it, once for its scope and the values it is given, and cleaned up in \
           the reverse order, whatever happened. What it `gives` comes under its name (`$customer.id`), or under the name given \
           with `as` (`$ann.id`).",
    fields: FIXTURE_KEYS,
    example: "fixtures:\n  customer:\n    takes: [{ email: ann@example.test }]\n    steps:\n      \
              - { http: POST web/customers, json: { email: $email }, save: { id: body.id } }\n    gives: { id: $id }\n    \
              cleanup: [{ http: DELETE web/customers/$id }]\ntests:\n  - name: Two customers\n    \
              needs: [{ customer: { as: ann } }, { customer: { as: bob, email: bob@example.test } }]\n    steps:\n      \
              - { http: GET web/customers/$ann.id, expect: { status: 200 } }\n",
    ..Word::new("fixture", "what a test needs before it, with a scope and a clean-up")
};

static FLOW: Word = Word {
    subject: Shape::Nothing,
    text: "A flow sees what it takes and the `vars` of its own file, acts for the actor of the step that uses it, and gives \
           what `gives` says.",
    fields: FLOW_KEYS,
    example: "flows:\n  buy:\n    takes: [book, { quantity: 1 }]\n    steps:\n      \
              - { http: POST web/orders, json: { isbn: $book, quantity: $quantity }, expect: { status: 201 }, save: { order: body.id } }\n    \
              gives: { order: $order }\ntests:\n  - name: A book is bought\n    steps:\n      \
              - { use: buy, with: { book: \"978-0\" }, save: { order: order } }\n",
    ..Word::new("flow", "steps used in several places")
};
