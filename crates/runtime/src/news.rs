//! What the overseer hears, and the post that every part of a generation holds: when the post is dropped, by a stop, a
//! panic or the end of a thread, the overseer hears of it.

use crate::election::Grant;
use crate::state::Role;
use tokio::sync::mpsc;

/// How a part left its post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It had nothing more to do.
    Finished,
    /// It could not go on.
    Died { why: String },
}

/// What the overseer hears.
#[derive(Debug)]
pub(crate) enum News {
    /// The claim stands.
    Granted(Box<Grant>),
    /// The claim could not be made.
    NotGranted { why: String },
    /// Another process owns the domain.
    Standby,
    /// The ownership has ended.
    Lost { reason: String },
    /// A part of a generation has left.
    Left { generation: u64, role: Role, left: Left },
    /// A generation is gone: its threads have ended.
    TornDown { generation: u64 },
}

/// A place in a generation.
#[derive(Debug)]
pub(crate) struct Post {
    generation: u64,
    role: Role,
    news: mpsc::Sender<News>,
    left: Option<Left>,
}

impl Post {
    pub(crate) fn new(generation: u64, role: Role, news: &mpsc::Sender<News>) -> Post {
        Post { generation, role, news: news.clone(), left: None }
    }

    /// The holder is done.
    pub(crate) fn finish(&mut self) {
        self.left.get_or_insert(Left::Finished);
    }

    /// The holder cannot go on. The first reason counts.
    pub(crate) fn fail(&mut self, why: impl ToString) {
        self.left.get_or_insert(Left::Died { why: why.to_string() });
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let why = if std::thread::panicking() { "it panicked" } else { "it ended without being asked" };
        let left = self.left.take().unwrap_or(Left::Died { why: why.to_owned() });
        let news = News::Left { generation: self.generation, role: self.role, left };
        // The overseer's queue is longer than a generation has parts; if it is gone, nobody needs to hear.
        let _ = self.news.try_send(news);
    }
}
