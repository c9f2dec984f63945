'use client'

import { useState } from 'react'

export function LikeButton({ likes: first }) {
  const [likes, setLikes] = useState(first)
  return (
    <form className="like" onSubmit={(event) => { event.preventDefault(); setLikes(likes + 1) }}>
      <button aria-label="Like this note">♥ <output>{likes}</output></button>
    </form>
  )
}
