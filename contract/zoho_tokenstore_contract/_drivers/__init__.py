"""What puts stress on a store: threads, processes, the SDK over a loopback Zoho, made-up examples."""
