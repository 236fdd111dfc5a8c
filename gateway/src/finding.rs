//! What an examination notices, and what to type about it: the lines of `gateway doctor`. Knows nothing of what is
//! examined, and of how lines are shown.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as somebody may expect; or nobody can tell from here.
    Warning,
    /// It will not work.
    Fault,
}

impl Level {
    /// The word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One thing that was looked at. Holds no secret and no token, and what others wrote only in quotes or by its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// A word that stays the same, for programs: `issuer`, `redirect_uri` …
    pub check: &'static str,
    /// What was looked at.
    pub looked_at: String,
    /// What was found there.
    pub found: String,
    /// What to type, or to do where there is nothing to type.
    pub repair: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, looked_at: looked_at.into(), found: found.into(), repair: None }
    }

    /// Not as somebody may expect.
    pub fn warning(
        check: &'static str,
        looked_at: impl Into<String>,
        found: impl Into<String>,
        repair: impl Into<String>,
    ) -> Self {
        Self { level: Level::Warning, repair: Some(repair.into()), ..Self::ok(check, looked_at, found) }
    }

    /// It will not work.
    pub fn fault(
        check: &'static str,
        looked_at: impl Into<String>,
        found: impl Into<String>,
        repair: impl Into<String>,
    ) -> Self {
        Self { level: Level::Fault, ..Self::warning(check, looked_at, found, repair) }
    }
}

/// Who hears of an examination while it goes on.
pub trait Observer {
    /// The next thing takes a moment.
    fn looking(&mut self, at: &str);
    /// Something was noticed.
    fn found(&mut self, finding: Finding);
}

/// An examination under way: passes on what is noticed, and counts.
pub struct Report<'r> {
    observer: &'r mut dyn Observer,
    faults: usize,
    whose: Option<String>,
}

impl<'r> Report<'r> {
    /// One that nothing was noted in yet.
    pub fn to(observer: &'r mut dyn Observer) -> Self {
        Self { observer, faults: 0, whose: None }
    }

    /// From now on, whose part is looked at is said with everything; nothing where there is only one.
    pub fn about(&mut self, whose: Option<&str>) {
        self.whose = whose.map(str::to_owned);
    }

    /// The next thing takes a moment.
    pub fn looking(&mut self, at: &str) {
        self.observer.looking(at);
    }

    /// Something was noticed.
    pub fn add(&mut self, mut finding: Finding) {
        if let Some(whose) = &self.whose {
            finding.looked_at = format!("{whose}: {}", finding.looked_at);
        }
        self.faults += usize::from(finding.level == Level::Fault);
        self.observer.found(finding);
    }

    /// How many faults were noticed so far.
    pub fn faults(&self) -> usize {
        self.faults
    }
}
