//! The dump of golden files, of damaged ones, and of batches, as a person and a program see them.
