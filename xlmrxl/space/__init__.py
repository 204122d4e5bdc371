"""A Hugging Face Space of the app: building its folder, and checking one."""
