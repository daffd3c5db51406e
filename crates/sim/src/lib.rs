//! Random networks, random traffic through them, and a naive model that says where each packet must go. Development
//! only.
//!
//! [`network()`] writes a network in the language of `fixture`. A [`Simulation`] sends packets through the data plane,
//! with and without its cache, and asks the [`Naive`] model about each. The model is written from what AWS documents:
//! it scans the rows of the API and the list of everything that has passed so far, compiles nothing, and shares no
//! code with the data plane.

mod fast_path;
mod naive;
mod network;
mod random;
mod segment;
mod service;
mod simulation;
mod stand_ins;
mod traffic;

pub use fast_path::{Carrier, Fate};
pub use naive::{Naive, Observed, Sight};
pub use network::network;
pub use random::Random;
pub use segment::{Device, Fragment, Hop, Quoted, Segment};
pub use service::{Asked, Service, Way};
pub use simulation::{Disagreement, Simulation};
