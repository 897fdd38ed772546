"""Networks in 8 bits: which parts stay in float, quantisation after training and fine-tuning for it."""
