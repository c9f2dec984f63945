//! Both signals on their way to a collector.
