//! Finds or builds what is deployed, and zips it reproducibly.
