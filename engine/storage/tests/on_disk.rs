//! Storage on the real disk, by each driver: what the simulator cannot know is whether the kernel
//! agrees.

mod on_disk {
    mod driver;

    mod journal;
    mod segment;
    mod store;
}
