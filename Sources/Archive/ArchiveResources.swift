package import Delta
package import System

/// What all archives of a process share while they are made.
package struct ArchiveResources: Sendable {
  /// The threads that compress.
  package let compressors: WorkerPool
  /// What copies of databases may take together.
  package let memory: MemoryBudget
  /// What the rests of databases may take in the spool directory whose snapshots are released before they were sent.
  package let detached: MemoryBudget
  /// The histories of archives that clients have; nil if none are kept.
  package var histories: Histories?

  package init(
    compressors: WorkerPool, memory: MemoryBudget, detached: MemoryBudget, histories: Histories? = nil
  ) {
    self.compressors = compressors
    self.memory = memory
    self.detached = detached
    self.histories = histories
  }
}
