//! Real namespaces, devices and processes. One thread and a `main` of our own, because sandboxes run this executable
//! again as their first process.
#![expect(clippy::print_stdout, reason = "this is the test harness")]
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod confinement;
mod doctor;
mod fabric;
mod lifetime;
mod network;
mod service_network;
mod support;
mod terminal;

use std::panic::{AssertUnwindSafe, catch_unwind};

fn main() {
    host::dispatch();
    support::dispatch();
    let privilege = host::enter_user_namespace();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |word: &str| arguments.iter().any(|argument| argument == word);
    // Runners ask for the list in a format, whose name is no filter, and again for what is ignored: nothing is.
    let after_format = arguments
        .iter()
        .position(|word| word == "--format")
        .map(|at| at + 1);
    let mut words = arguments.iter().enumerate();
    let filter = words
        .find(|(at, word)| !word.starts_with('-') && Some(*at) != after_format)
        .map_or(String::new(), |(_, word)| word.clone());
    let tests: Vec<(&str, fn())> = [
        confinement::TESTS,
        doctor::TESTS,
        fabric::TESTS,
        lifetime::TESTS,
        network::TESTS,
        service_network::TESTS,
        terminal::TESTS,
    ]
    .concat();
    let chosen = tests.into_iter().filter(|(name, _)| {
        !given("--ignored")
            && if given("--exact") {
                *name == filter
            } else {
                name.contains(&filter)
            }
    });
    if given("--list") {
        chosen.for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    if let Err(error) = privilege.and_then(|_| host::doctor::enforcement()) {
        println!("skipped: needs root or user namespaces, and /dev/net/tun: {error}");
        return;
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in chosen {
        let fine = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if fine { "ok" } else { "FAILED" });
        *(if fine { &mut passed } else { &mut failed }) += 1;
    }
    println!("\ntest result: {passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
