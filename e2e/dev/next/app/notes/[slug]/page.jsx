import { LikeButton } from '../../like.jsx'

export default async function Note({ params }) {
  const { slug } = await params
  const note = { title: slug, text: 'The same note as in the other application.', author: 'Tropos', likes: 6 }
  return (
    <>
      <article>
        <img src="/picture.svg" alt=""/>
        <h1>{note.title}</h1>
        <p className="lead">{note.text}</p>
        <p className="quiet">Written by {note.author}</p>
        <LikeButton likes={note.likes}/>
      </article>
    </>
  )
}
