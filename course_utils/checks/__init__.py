"""Is my answer right? One ``check_*`` function per exercise; each says what is right or what is still missing."""
