"""The whole product on one machine: its stack, the main job with proofs, a page to try it on."""
