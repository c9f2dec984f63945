//! The scripts that the dev server adds to each page of development, and to none of a build.
