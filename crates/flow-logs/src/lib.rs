//! Observed flows to windows to records to lines in the caller's format.
