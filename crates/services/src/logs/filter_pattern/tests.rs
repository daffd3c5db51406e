//! Patterns and the messages that they match.
