"""Work that is done on a cluster by Ray, the only importer of ray: where it is, and who works there."""
