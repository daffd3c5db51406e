//! HTTP, authentication, the single writer, snapshot publication.
