//! Tests of the whole: the walk in one process, real clients over the wire, real namespaces.
