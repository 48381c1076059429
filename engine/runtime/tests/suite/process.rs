//! What only a real process can show.
