//! The modes as types, by which the compiler checks what a page may read.

use std::marker::PhantomData;

/// A page that is made at build.
#[derive(Debug)]
pub struct Ssg;

/// A page that is made once for many requests. `Q` is its declared query, [`NoQuery`] where it declares none; `V` its
/// declared variants, [`NoVariants`] where it declares none.
#[derive(Debug)]
pub struct Isr<Q = NoQuery, V = NoVariants>(PhantomData<(Q, V)>);

/// A page that is made for every request.
#[derive(Debug)]
pub struct Server;

/// A page that is made for every request, and again whenever what it read is invalidated.
#[derive(Debug)]
pub struct Live;

/// The variants of an `isr` page that declares none.
#[derive(Debug)]
pub struct NoVariants;

/// The query of an `isr` page that declares none.
#[derive(Debug)]
pub struct NoQuery;
