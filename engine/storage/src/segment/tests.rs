//! Kafka's rules of indexes, rolling and reading, against a plain list of batches.
