//! What this machine offers for sandboxes, found by trying.
