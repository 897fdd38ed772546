"""Pictures: where LR and HR pairs come from (sources), how they are degraded, packed and cut (pairs)."""
