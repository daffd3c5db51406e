//! compile(World) -> Snapshot; forward(frame, now) -> Verdict and Trace; connection tracking and flow cache.
