package import System

/// What all archives of a process share while they are made.
package struct ArchiveResources: Sendable {
  /// The threads that compress.
  package let compressors: WorkerPool
  /// What copies of databases may take together.
  package let memory: MemoryBudget

  package init(compressors: WorkerPool, memory: MemoryBudget) {
    self.compressors = compressors
    self.memory = memory
  }
}
